import { signWebhook } from '../../src/testing/sign-webhook.js';
import { nextBody } from './bodies.js';
import { requestOf } from './connection.js';
import { API_KEY } from './keys.js';
import { signed, signedAll } from './load.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, SMOKE } from './rounds.js';
import { CONNECTIONS, FULL, type LoadShape, Server } from './servers.js';
import { Databases } from './services.js';

/** Bodies of 100 KB take their memory. */
const SOME = 6_000;

/** How many connections each has to itself; LiveKit opens as many as there are rooms with something to tell. */
const CONNECTION_COUNTS = [1, 16, 256, 1_000];

interface Kind {
  what: string;
  shape(): Pick<LoadShape, 'next' | 'status' | 'connections'>;
}

/** By name. */
const KINDS: Record<string, Kind> = {
  good: { what: 'a good delivery', shape: () => ({}) },
  forged: {
    what: 'a forged one, of a key that is ours and a secret that is not',
    shape: () => {
      const { body } = nextBody();
      const headers = signWebhook(body, { apiKey: API_KEY, apiSecret: 'not-the-secret' });
      const request = requestOf(body, headers);
      return { next: () => request, status: 401 };
    },
  },
  duplicate: {
    what: 'one that is stored already',
    shape: () => {
      const request = signed(nextBody().body);
      return { next: () => request };
    },
  },
  large: {
    what: 'one of 100 KB',
    shape: () => ({ next: signedAll(Array.from({ length: SOME }, large)) }),
  },
  ...Object.fromEntries(
    CONNECTION_COUNTS.map((connections) => [
      `${connections} connections`,
      { what: `a good delivery, over ${connections} connections`, shape: () => ({ connections }) },
    ]),
  ),
};

/** What deliveries of several kinds cost, and how rate and latency go with the number of connections. */
export const costs: Bench = {
  name: 'costs',
  title: 'What a delivery costs',
  async run({ long, smoke }) {
    const [rounds, slot] = smoke ? SMOKE : long ? [9, 2_000] : [5, 700];
    const databases = new Databases();
    const server = await Server.start({ receiver: 'fastify', ...FULL, database: databases.sqlite() });
    try {
      const contestants = Object.entries(KINDS).map(([name, { what, shape }]): Contestant => ({
        name,
        what,
        async measure() {
          const { requestsPerSecond, p99, cpu } = await server.load({ duration: slot, ...shape() });
          await server.drained();
          return { 'req/s': requestsPerSecond, 'ms p99': p99, 'µs CPU': cpu };
        },
      }));
      const rows = await inTurns(contestants, rounds);
      return {
        method: `ours on Nest + Fastify, on SQLite, ${CONNECTIONS} connections where no number is told, medians of ${rounds} rounds of ${slot / 1000} s (min – max)`,
        rows,
        ratios: ['forged', 'duplicate', 'large'].map((name) => ratioOf(rows, 'µs CPU', name, ['good'])),
      };
    } finally {
      await server.stop();
      await databases.drop();
    }
  },
};

function large(): string {
  const { body } = nextBody();
  const event = JSON.parse(body);
  return JSON.stringify({ ...event, room: { ...event.room, metadata: 'x'.repeat(100_000) } });
}
