import { Injectable } from '@nestjs/common';
import { EventStore } from '../database/event-store.js';
import { sharedRead } from '../database/shared-read.js';
import { StoreClock } from './clock.js';

/** How many of the newest events are looked through: a project may have been silent for all of a million. */
export const LOOKED_THROUGH = 10_000;

/** When webhooks came last. Times are UTC milliseconds, by the clock that replicas share. */
export interface LastWebhooks {
  now: number;
  /** Of each project that has one among the newest `LOOKED_THROUGH` events. */
  at: ReadonlyMap<string, number>;
  /** Those of every other project came before this; `null`: none ever came. */
  othersBefore: number | null;
}

interface GroupRow {
  source: string;
  kind: string;
  count: number | string;
  first_at: number | string;
  last_at: number | string;
}

/** Tells when webhooks came last, to whichever process, by what the store says. */
@Injectable()
export class WebhookTimes {
  /** By project, read once for everybody who asks at once, for 2 s at most. */
  readonly last: () => Promise<LastWebhooks> = sharedRead(() => this.look());

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  private look(): Promise<LastWebhooks> {
    return this.store.read(async (manager) => {
      const groups = await manager.query<GroupRow[]>(
        `SELECT source, kind, count(*) AS count, min(received_at) AS first_at, max(received_at) AS last_at
         FROM (SELECT source, kind, received_at FROM livekit_events ORDER BY seq DESC LIMIT ${LOOKED_THROUGH}) newest
         GROUP BY source, kind`,
      );
      const count = groups.reduce((sum, group) => sum + Number(group.count), 0);
      const webhooks = groups.filter(({ kind }) => kind === 'livekit');
      return {
        now: await this.clock.read(manager),
        at: new Map(webhooks.map(({ source, last_at: lastAt }) => [source, Number(lastAt)])),
        othersBefore:
          count < LOOKED_THROUGH ? null : Math.min(...groups.map(({ first_at: firstAt }) => Number(firstAt))),
      };
    });
  }
}
