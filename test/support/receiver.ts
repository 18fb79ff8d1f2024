import type { DynamicModule, INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { CLOCK } from '../../src/livekit-webhook/clock.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import type { Session } from '../../src/sessions/session.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import type { SessionsModuleOptions } from '../../src/sessions/sessions.options.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import type { CapturedDelivery } from './captures.js';
import { sqlQuery } from './database.js';
import { until } from './until.js';

/** What the captures were signed with (`captures/README.md`). */
export const CAPTURE_KEY = { apiKey: 'APIcapture', apiSecret: 'captured-calls-signing-secret-0123456789' };

/** A receiver of recorded calls, with its sessions. */
export interface Receiver {
  app: INestApplication;
  url: string;
  /** Sends a delivery as it was recorded, at its time; gives the answer's status. */
  send(delivery: CapturedDelivery): Promise<number>;
  /** The sessions, once every event that was sent is in them. */
  sessions(): Promise<Session[]>;
}

/** Boots the modules on a database, with a clock that follows the deliveries. */
export async function bootReceiver(
  databaseUrl: string,
  options: SessionsModuleOptions = {},
  more: DynamicModule[] = [],
): Promise<Receiver> {
  const clock = { time: 0, now: () => clock.time };
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({ ...CAPTURE_KEY, database: { url: databaseUrl } }),
      SessionsModule.forRoot(options),
      ...more,
    ],
  })
    .overrideProvider(CLOCK)
    .useValue(clock)
    .compile();
  const app = module.createNestApplication(new ExpressAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    url,
    async send({ receivedAt, path, headers, body }) {
      clock.time = Date.parse(receivedAt);
      const sent = headers.filter(([name]) => name !== 'Content-Length');
      const { status } = await fetch(url + path, { method: 'POST', headers: sent, body });
      return status;
    },
    async sessions() {
      await until('every event to be in its session', async () => (await unread(databaseUrl)) === 0);
      return (await app.get(SessionsService).list({ limit: 200 })).sessions;
    },
  };
}

async function unread(databaseUrl: string): Promise<number> {
  const [row] = await sqlQuery<{ unread: number | string }>(
    databaseUrl,
    'SELECT count(*) AS unread FROM livekit_events WHERE NOT routed',
  );
  return Number(row?.unread);
}
