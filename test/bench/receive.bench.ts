import { sqlQuery } from '../support/database.js';
import { nextBody } from './bodies.js';
import { signed } from './load.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, SMOKE, warmingUp } from './rounds.js';
import { CONNECTIONS, FULL, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

type Case = Partial<ServerShape> & Pick<ServerShape, 'receiver'> & { what: string; on?: 'PostgreSQL' };

/** By name. */
const CASES: Record<string, Case> = {
  official: { receiver: 'official', what: 'Express + livekit-server-sdk, storing nothing' },
  express: { receiver: 'express', ...FULL, what: 'ours on Nest + Express, on SQLite' },
  fastify: { receiver: 'fastify', ...FULL, what: 'ours on Nest + Fastify, on SQLite' },
  postgres: {
    receiver: 'fastify',
    ...FULL,
    on: 'PostgreSQL',
    what: 'ours on Nest + Fastify, on PostgreSQL',
  },
  empty: { receiver: 'empty', what: 'Nest + Fastify, an empty handler' },
  bare: { receiver: 'bare', what: 'our verifier and log on node:http, on SQLite' },
  'by hand': { receiver: 'by hand', what: 'node:http, verified and committed to SQLite by hand' },
  sender: { receiver: 'wire', what: 'as fast as this bench can send' },
};

/**
 * How many deliveries a second, how soon each is answered, and what it costs: ours, which stores every one on disk first,
 * beside what people have today, which stores none, and beside less and less of ours.
 */
export const receive: Bench = {
  name: 'receive',
  title: 'Receiving webhooks',
  async run({ long, smoke }) {
    const [rounds, slot] = smoke ? SMOKE : long ? [9, 3_000] : [5, 1_000];
    const { again, before } = warmingUp(slot, smoke);
    const databases = new Databases();
    const servers: Server[] = [];
    const anyDelivery = signed(nextBody().body);
    try {
      const contestants: Contestant[] = [];
      for (const [name, { what, on, ...shape }] of Object.entries(CASES)) {
        const database = on === undefined ? databases.sqlite() : await databases.postgres();
        if (database === null) continue;
        const server = await Server.start({ ...shape, database });
        servers.push(server);
        const stores = shape.receiver !== 'wire' && shape.receiver !== 'empty';
        const isOurs =
          shape.receiver === 'express' || shape.receiver === 'fastify' || shape.receiver === 'bare';
        const next = stores ? {} : { next: () => anyDelivery }; // they would use up more than can be signed
        contestants.push({
          name,
          what,
          async measure() {
            const loaded = { warmUp: again, duration: slot, ...next };
            const { requestsPerSecond, p50, p99, cpu } = await server.load(loaded);
            await server.drained(); // so that it is nobody else's turn that it works in
            if (isOurs) await requireStored(database, server.accepted);
            return { 'req/s': requestsPerSecond, 'ms p50': p50, 'ms p99': p99, 'µs CPU': cpu };
          },
        });
      }
      const rows = await inTurns(contestants, rounds, before);
      return {
        method:
          `${CONNECTIONS} connections, each answer awaited; ours on Nest with log lines, metrics and three handlers; ` +
          `medians of ${rounds} rounds of ${slot / 1000} s (min – max), each after ${again / 1000} s of warming up, and after ${before} rounds that do not count`,
        rows,
        ratios: [
          ...['express', 'fastify', 'postgres'].map((ours) => ratioOf(rows, 'req/s', ours, ['official'])),
          ratioOf(rows, 'req/s', 'fastify', ['empty']),
          ratioOf(rows, 'req/s', 'bare', ['by hand']),
          ...['express', 'fastify', 'postgres'].map((ours) => ratioOf(rows, 'µs CPU', ours, ['official'])),
        ],
        leftOut: databases.leftOut,
      };
    } finally {
      for (const server of servers) await server.stop();
      await databases.drop();
    }
  },
};

async function requireStored(database: string, accepted: number): Promise<void> {
  const [row] = await sqlQuery<{ stored: number | string }>(
    database,
    'SELECT count(*) AS stored FROM livekit_events',
  );
  if (Number(row?.stored) !== accepted)
    throw new Error(`${accepted} were accepted, and ${row?.stored} are stored`);
}
