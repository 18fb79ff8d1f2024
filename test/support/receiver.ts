import type { DynamicModule, INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { CLOCK } from '../../src/event-log/clock.js';
import { EVENT_LOG_LIMITS } from '../../src/event-log/event-log.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import type { Session } from '../../src/sessions/session.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import type { SessionsModuleExtras, SessionsModuleOptions } from '../../src/sessions/sessions.options.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { WebhookTester } from '../../src/testing/webhook-tester.js';
import { CAPTURE_KEY, type CapturedDelivery } from './captures.js';
import { PATIENT } from './patience.js';

/** A receiver of recorded calls, with its sessions. */
export interface Receiver {
  app: INestApplication;
  url: string;
  /** Sends a delivery as it was recorded, by default at its time; resolves with the answer's status. */
  send(delivery: CapturedDelivery, at?: string): Promise<number>;
  /** Runs everything that is due: every event that was sent is in its session then. */
  drain(): Promise<void>;
  /** Runs everything that falls due within days, later with each call: sessions settle, whatever they are missing. */
  settle(): Promise<void>;
  /** The sessions, once every event that was sent is in them. */
  sessions(): Promise<Session[]>;
}

const TWO_DAYS = 2 * 24 * 3_600_000;

/** Boots the modules on a database, with a clock that follows the deliveries. */
export async function bootReceiver(
  databaseUrl: string,
  options: SessionsModuleOptions & SessionsModuleExtras = {},
  more: DynamicModule[] = [],
): Promise<Receiver> {
  const clock = new TestClock();
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({ ...CAPTURE_KEY, database: { url: databaseUrl } }),
      SessionsModule.forRoot(options),
      ...more,
    ],
  })
    .overrideProvider(CLOCK)
    .useValue(clock)
    .overrideProvider(EVENT_LOG_LIMITS)
    .useValue(PATIENT)
    .compile();
  const app = module.createNestApplication(new ExpressAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  const tester = new WebhookTester(app, CAPTURE_KEY);
  let horizon = Date.now();
  return {
    app,
    url: await app.getUrl(),
    async send({ receivedAt, path, headers: recorded, body }, at = receivedAt) {
      clock.set(at);
      const isTheirs = (name: string) =>
        name !== 'Content-Length' && !(name === 'Authorization' && at !== receivedAt);
      const headers = Object.fromEntries(recorded.filter(([name]) => isTheirs(name)));
      const { status } = await tester.deliver(body, { headers, path });
      return status;
    },
    drain: () => tester.drain(),
    async settle() {
      await tester.drain();
      // Sessions that are closed in the first round settle in the second.
      for (const _ of ['closed', 'settled']) {
        clock.set((horizon += TWO_DAYS));
        await tester.drain();
      }
    },
    async sessions() {
      clock.set(Date.now()); // whatever the day: everything is due now, and the leases of dead processes have expired
      await tester.drain();
      for (const _ of ['closed', 'settled']) await tester.advance(3_600_000);
      return (await app.get(SessionsService).list({ limit: 200 })).sessions;
    },
  };
}
