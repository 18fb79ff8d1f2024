// Starts the backend, plays recorded calls at it, prints the bills, and ends.
import { Deliveries } from 'nestjs-livekit-webhooks';
import { setTimeout as delay } from 'node:timers/promises';
import { startBackend } from './backend.js';
import type { Bill } from './bills.controller.js';
import { config } from './config.js';
import { playRecordedCalls } from './recorded-calls.js';

const app = await startBackend('error');
try {
  await playRecordedCalls();
  const deliveries = app.get(Deliveries);
  await deliveries.drain();
  // What is left waits for its next attempt.
  while ((await deliveries.lag()).some(({ pending, running }) => pending + running > 0)) await delay(100);

  const bills = (await (await fetch(`${config.url}/bills`)).json()) as Bill[];
  for (const { call, cents, closedAt, charges } of bills) {
    const parts = charges.map(({ identity, seconds }) => `${identity} ${seconds} s`).join(', ');
    console.log(`bill    ${call}: ${cents} cents, ${closedAt === null ? 'open' : 'closed'} (${parts})`);
  }
  for (const { state, attempt, event, error } of (await deliveries.list({ handler: 'archive' })).deliveries) {
    const failure = error === null ? '' : ` (last error: ${error.split('\n')[0]})`;
    console.log(`archive ${event.roomName}: ${state} at attempt ${attempt}${failure}`);
  }
} finally {
  await app.close();
}
