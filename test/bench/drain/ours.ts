/** Our runner, in a process of its own: `drain/ours.ts <database url> <DrainShape as JSON>`. */
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { setTimeout as delay } from 'node:timers/promises';
import { Deliveries, EventStore } from '../../../dist/index.js';
import { application } from '../application.js';
import { answer } from '../child.js';
import { appendTo, someEvents } from '../events.js';
import { emptyHandlers } from '../handlers.js';
import type { DrainQuestion, DrainShape } from './question.js';

const [url = '', shape = ''] = process.argv.slice(2);
const { handler, waits, engine } = JSON.parse(shape) as DrainShape;
const Handlers = emptyHandlers(1, '*', handler, waits);
const onPostgres = url.startsWith('postgres');
await (await EventStore.open({ url })).close(); // a host's DataSource must find our tables
const host = onPostgres
  ? await new DataSource({ type: 'postgres', url, installExtensions: false }).initialize()
  : undefined;

answer<DrainQuestion>(async ({ count }) => {
  await appendTo(url, someEvents(count));
  const app = await application({
    database: { url, ...(host && { handlers: host }) },
    ...(engine && { deliveries: { engine } }),
    providers: [Handlers],
  });
  const deliveries = app.get(Deliveries);
  const start = performance.now();
  await app.init();
  await deliveries.drain();
  while ((await undone(deliveries)) > 0) await delay(5); // by another replica
  const milliseconds = performance.now() - start;
  const { deliveries: done } = await deliveries.list({ state: 'done', limit: 1 });
  await app.close();
  if (done.length === 0) throw new Error('nothing was delivered');
  return milliseconds;
});

/** @throws Error when one is dead. */
async function undone(deliveries: Deliveries): Promise<number> {
  const lags = await deliveries.lag();
  if (lags.some(({ dead }) => dead > 0)) throw new Error('a delivery failed');
  return lags.reduce((sum, { pending, running }) => sum + pending + running, 0);
}
