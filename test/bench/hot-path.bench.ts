import type { Bench } from './report.js';
import { inTurns, ratioOf } from './rounds.js';
import { CONNECTIONS, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

type Case = Pick<ServerShape, 'receiver' | 'handlers' | 'hears'>;

/** By name. */
function casesOf(receiver: Case['receiver']): Record<string, Case & { what: string }> {
  const cases: ReturnType<typeof casesOf> = {};
  cases[`${receiver}, none`] = { receiver, handlers: 0, what: `ours on ${receiver}, no handler` };
  for (const handlers of [1, 10]) {
    const some = handlers === 1 ? '1 handler' : `${handlers} handlers`;
    cases[`${receiver}, ${handlers} idle`] = {
      receiver,
      handlers,
      hears: 'ingress_started', // which the calls that are played have none of
      what: `ours on ${receiver}, ${some} with nothing to do`,
    };
    cases[`${receiver}, ${handlers} busy`] = {
      receiver,
      handlers,
      what: `ours on ${receiver}, ${some} of every event, at work meanwhile`,
    };
  }
  return cases;
}

/**
 * What handlers cost those who send webhooks: nothing while they have nothing to do; and while they work, nobody may be
 * refused.
 */
export const hotPath: Bench = {
  name: 'hot-path',
  title: 'Receiving webhooks with durable handlers',
  async run({ long }) {
    const [rounds, slot] = long ? [25, 1_000] : [12, 500];
    const cases = { ...casesOf('fastify'), ...(long ? casesOf('express') : {}) };
    const databases = new Databases();
    const servers: Server[] = [];
    try {
      const contestants = [];
      for (const [name, { what, ...shape }] of Object.entries(cases)) {
        const server = await Server.start({ ...shape, database: databases.sqlite() });
        servers.push(server);
        contestants.push({
          name,
          what,
          async measure() {
            const { requestsPerSecond, p99 } = await server.load({ duration: slot });
            await server.drained(); // so that it is nobody else's turn that it works in
            return { 'req/s': requestsPerSecond, 'ms p99': p99 };
          },
        });
      }
      const rows = await inTurns(contestants, rounds);
      return {
        method: `SQLite, ${CONNECTIONS} connections, every request answered 200, medians of ${rounds} rounds of ${slot / 1000} s (min – max)`,
        rows,
        ratios: Object.entries(cases)
          .filter(([, { handlers }]) => handlers !== 0)
          .map(([name, { receiver }]) => ratioOf(rows, 'req/s', name, [`${receiver}, none`])),
      };
    } finally {
      for (const server of servers) await server.stop();
      await databases.drop();
    }
  },
};
