import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, SMOKE, WARM_UP, warmingUp } from './rounds.js';
import { CONNECTIONS, FULL, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

const CASES: Record<string, ServerShape & { what: string }> = {
  official: { receiver: 'official', what: 'Express + livekit-server-sdk, storing nothing' },
  express: { receiver: 'express', ...FULL, what: 'ours on Nest + Express, on SQLite' },
  fastify: { receiver: 'fastify', ...FULL, what: 'ours on Nest + Fastify, on SQLite' },
};

/** How soon deliveries are answered that come at half the rate that LiveKit's own receiver can keep up with. */
export const latency: Bench = {
  name: 'latency',
  title: 'Answering at an even rate',
  async run({ long, smoke }) {
    const [rounds, slot] = smoke ? SMOKE : long ? [9, 5_000] : [5, 2_000];
    const { again } = warmingUp(slot, smoke);
    const databases = new Databases();
    const servers: Server[] = [];
    try {
      const contestants: Contestant[] = [];
      let perSecond = 0;
      for (const [name, { what, ...shape }] of Object.entries(CASES)) {
        const server = await Server.start({ ...shape, database: databases.sqlite() });
        servers.push(server);
        await server.load({ duration: smoke ? slot : WARM_UP });
        if (name === 'official') {
          const { requestsPerSecond } = await server.load({ duration: slot });
          perSecond = Math.round(requestsPerSecond / 2);
        }
        contestants.push({
          name,
          what,
          async measure() {
            await server.load({ duration: again });
            await server.drained();
            const { p50, p99 } = await server.loadAtRate(perSecond, slot);
            await server.drained();
            return { 'ms p50': p50, 'ms p99': p99 };
          },
        });
      }
      const rows = await inTurns(contestants, rounds);
      return {
        method:
          `${perSecond} deliveries a second, as LiveKit would send them, over ${CONNECTIONS} connections, ` +
          `from when each was due to its answer; medians of ${rounds} rounds of ${slot / 1000} s (min – max), each after ${again / 1000} s of warming up`,
        rows,
        ratios: ['express', 'fastify'].map((ours) => ratioOf(rows, 'ms p99', ours, ['official'])),
      };
    } finally {
      for (const server of servers) await server.stop();
      await databases.drop();
    }
  },
};
