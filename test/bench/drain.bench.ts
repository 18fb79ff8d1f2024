import type { HandlerOptions } from '../../dist/index.js';
import { Child } from './child.js';
import type { DrainShape } from './drain/question.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf } from './rounds.js';
import { CONNECTIONS, Server } from './servers.js';
import { Databases, REDIS_URL } from './services.js';

const HANDLERS: Record<string, HandlerOptions> = {
  single: {},
  batched: { batch: 128 },
  transactional: { transactional: true },
  'transactional batched': { transactional: true, batch: 128 },
};

/** Jobs that the others have in hand at once: as many as our handlers run at once unless they are told otherwise. */
const CONCURRENCY = '10';

const GRAPHILE_PRESETS = {
  'graphile-worker': {},
  // As its documentation has it for the most throughput.
  'graphile-worker, tuned': { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
};

const OTHERS = ['official receiver', 'BullMQ', 'graphile-worker', 'graphile-worker, tuned'];

const UNIT = 'deliveries/s';

/**
 * How fast a backlog of events goes through an empty handler, beside as many jobs with the same data through an empty
 * worker of BullMQ and of graphile-worker, and beside what LiveKit's own receiver could accept meanwhile.
 */
export const drain: Bench = {
  name: 'drain',
  title: 'Draining a backlog into an empty handler',
  async run({ long, smoke }) {
    const [rounds, count, slot] = smoke ? [1, 500, 100] : long ? [5, 30_000, 2_000] : [3, 10_000, 2_000];
    const databases = new Databases();
    const started: { stop(): Promise<void> }[] = [];
    const contestants: Contestant[] = [];
    const enter = async (name: string, what: string, script: string, args: string[], some = count) => {
      const child = await Child.start(`drain/${script}`, ...args);
      started.push(child);
      const measure = async () => {
        await child.ask<number>({ count: some }); // it has been idle while others had their turns
        return { [UNIT]: some / ((await child.ask<number>({ count: some })) / 1000) };
      };
      contestants.push({ name, what, measure });
    };
    try {
      const receiver = await Server.start({ receiver: 'official' });
      started.push(receiver);
      contestants.push({
        name: 'official receiver',
        what: `Express + livekit-server-sdk, accepting over ${CONNECTIONS} connections`,
        measure: async () => ({
          [UNIT]: (await receiver.load({ warmUp: slot, duration: slot })).requestsPerSecond,
        }),
      });
      const redis = await databases.redisPrefix();
      if (redis !== null)
        await enter('BullMQ', 'BullMQ on Redis', 'bullmq.ts', [REDIS_URL, redis, CONCURRENCY]);
      const postgres = (await databases.postgres()) !== null;
      for (const [name, preset] of Object.entries(postgres ? GRAPHILE_PRESETS : {})) {
        const url = (await databases.postgres()) ?? '';
        const args = [url, CONCURRENCY, JSON.stringify(preset)];
        await enter(name, `${name} on PostgreSQL`, 'graphile-worker.ts', args);
      }
      for (const kind of postgres ? ['SQLite', 'PostgreSQL'] : ['SQLite']) {
        for (const [handler, options] of Object.entries(HANDLERS)) {
          const url = kind === 'SQLite' ? databases.sqlite() : ((await databases.postgres()) ?? '');
          // One commit a delivery: it would take all the time there is.
          const some = handler === 'transactional' ? count / 5 : count;
          const args = [url, JSON.stringify({ handler: options } satisfies DrainShape)];
          await enter(`${kind}, ${handler}`, `ours on ${kind}, ${handler}`, 'ours.ts', args, some);
        }
      }
      const rows = await inTurns(contestants, rounds);
      return {
        method: `${count} events (a fifth of them for "transactional"), from the start of the runner until all is done, each after as many that do not count, medians of ${rounds} rounds (min – max)`,
        rows,
        ratios: rows
          .filter(({ what }) => what.startsWith('ours'))
          .map(({ name }) => ratioOf(rows, UNIT, name, OTHERS)),
        leftOut: databases.leftOut,
      };
    } finally {
      for (const one of started) await one.stop();
      await databases.drop();
    }
  },
};
