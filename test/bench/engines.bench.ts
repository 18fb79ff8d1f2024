import type { DeliveryEngineOptions, HandlerOptions } from '../../dist/index.js';
import { Child } from './child.js';
import type { DrainShape } from './drain/question.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf } from './rounds.js';
import { Databases, REDIS_URL } from './services.js';

const HANDLERS: Record<string, HandlerOptions> = { single: {}, batched: { batch: 128 } };

const CONCURRENCY = '10'; // as ours, unless they are told otherwise

const BULLMQ = 'BullMQ alone';

const UNIT = 'deliveries/s';

/** What it costs to have an engine carry deliveries: each engine on PostgreSQL, beside an empty job of BullMQ on the same Redis. */
export const engines: Bench = {
  name: 'engines',
  title: 'Engines that carry deliveries',
  async run({ long }) {
    const [rounds, count] = long ? [9, 20_000] : [5, 5_000];
    const databases = new Databases();
    const children: Child[] = [];
    const contestants: Contestant[] = [];
    const carried: [url: string, engine: DeliveryEngineOptions][] = [];
    const enter = async (name: string, what: string, script: string, args: string[]) => {
      const child = await Child.start(`drain/${script}`, ...args);
      children.push(child);
      contestants.push({
        name,
        what,
        measure: async () => ({ [UNIT]: count / ((await child.ask<number>({ count })) / 1_000) }),
      });
    };
    try {
      const redis = await databases.redisPrefix();
      if (redis !== null)
        await enter(BULLMQ, 'an empty job of BullMQ on Redis', 'bullmq.ts', [REDIS_URL, redis, CONCURRENCY]);
      const hasPostgres = (await databases.postgres()) !== null;
      for (const engine of hasPostgres ? await databases.engines() : []) {
        for (const [handler, options] of Object.entries(HANDLERS)) {
          const url = (await databases.postgres()) ?? '';
          carried.push([url, engine]);
          const shape: DrainShape = { handler: options, engine };
          const name = `${engine.type}, ${handler}`;
          await enter(name, `ours by way of ${name}`, 'ours.ts', [url, JSON.stringify(shape)]);
        }
      }
      const rows = await inTurns(contestants, rounds);
      const others = (name: string) => {
        const [, handler] = name.split(', ');
        return [BULLMQ, `database, ${handler}`].filter((other) => other !== name);
      };
      return {
        method: `${count} events into an empty handler, from the start of the runner until all is done, medians of ${rounds} rounds (min – max)`,
        rows,
        ratios: rows
          .filter(({ name }) => name !== BULLMQ)
          .map(({ name }) => ratioOf(rows, UNIT, name, others(name))),
        leftOut: databases.leftOut,
      };
    } finally {
      for (const child of children) await child.stop();
      for (const [url, engine] of carried) await databases.forget(url, engine);
      await databases.drop();
    }
  },
};
