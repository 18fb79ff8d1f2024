import { sqlQuery } from '../support/database.js';
import type { Bench } from './report.js';
import { inTurns, ratioOf } from './rounds.js';
import { CONNECTIONS, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

const CONTESTANTS = {
  official: 'Express + livekit-server-sdk, storing nothing',
  express: 'ours on Nest + Express, durable on SQLite',
  fastify: 'ours on Nest + Fastify, durable on SQLite',
} as const;

/**
 * How many deliveries a second, and how soon each is answered: ours, which stores every one on disk first, beside what
 * people have today, which stores none.
 */
export const receive: Bench = {
  name: 'receive',
  title: 'Receiving webhooks',
  async run({ long }) {
    const [rounds, slot] = long ? [9, 3_000] : [5, 2_000];
    const databases = new Databases();
    const servers: Server[] = [];
    try {
      const contestants = [];
      for (const [receiver, what] of Object.entries(CONTESTANTS)) {
        const database = databases.sqlite();
        const server = await Server.start({ receiver: receiver as ServerShape['receiver'], database });
        servers.push(server);
        let sent = 0;
        contestants.push({
          name: receiver,
          what,
          async measure() {
            const { requestsPerSecond, p50, p99, accepted } = await server.load(slot);
            sent += accepted;
            if (receiver !== 'official') await requireStored(database, sent);
            return { 'req/s': requestsPerSecond, 'ms p50': p50, 'ms p99': p99 };
          },
        });
      }
      const rows = await inTurns(contestants, rounds);
      return {
        method: `${CONNECTIONS} connections, medians of ${rounds} rounds of ${slot / 1000} s (min – max)`,
        rows,
        ratios: ['express', 'fastify'].flatMap((ours) =>
          ['req/s', 'ms p99'].map((unit) => ratioOf(rows, unit, ours, ['official'])),
        ),
      };
    } finally {
      for (const server of servers) server.stop();
      await databases.drop();
    }
  },
};

async function requireStored(database: string, accepted: number): Promise<void> {
  const [row] = await sqlQuery<{ stored: number }>(database, 'SELECT count(*) AS stored FROM livekit_events');
  if (row?.stored !== accepted) throw new Error(`${accepted} were accepted, and ${row?.stored} are stored`);
}
