import { Injectable } from '@nestjs/common';
import { EventStore } from '../database/event-store.js';
import { sharedRead } from '../database/shared-read.js';
import { StoreClock } from './clock.js';

/** How many of the newest events are searched: a project may have been silent for a million events. */
export const LOOKED_THROUGH = 10_000;

/** When the last webhooks were received. Times are UTC milliseconds, by the clock that replicas share. */
export interface LastWebhooks {
  now: number;
  /** By project, for those that have one among the newest `LOOKED_THROUGH` events. */
  at: ReadonlyMap<string, number>;
  /** The last ones of all other projects came before this; `null`: none ever came. */
  othersBefore: number | null;
}

interface GroupRow {
  source: string;
  kind: string;
  count: number | string;
  first_at: number | string;
  last_at: number | string;
}

/** Reads from the store when the last webhooks were received, by any process. */
@Injectable()
export class WebhookTimes {
  /** By project: concurrent callers share one read, and wait 2 s at most. */
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
        now: await this.clock.readWall(manager),
        at: new Map(webhooks.map(({ source, last_at: lastAt }) => [source, Number(lastAt)])),
        othersBefore:
          count < LOOKED_THROUGH ? null : Math.min(...groups.map(({ first_at: firstAt }) => Number(firstAt))),
      };
    });
  }
}
