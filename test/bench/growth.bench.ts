import { appendTo, someEvents } from './events.js';
import type { Bench } from './report.js';
import { inTurns, ratioOf, rowOf } from './rounds.js';
import { CONNECTIONS, FULL, Server } from './servers.js';
import { Databases } from './services.js';

/** What grows, and must not: the time a delivery takes on a large store, the time to start on it, and the memory of a process. */
export const growth: Bench = {
  name: 'growth',
  title: 'After a while',
  async run({ long }) {
    const [rounds, slot, events] = long ? [9, 3_000, 1_000_000] : [5, 1_000, 100_000];
    const [few, many] = long ? [50_000, 1_000_000] : [5_000, 50_000];
    const databases = new Databases();
    const stores = { 'an empty store': databases.sqlite(), 'a full store': databases.sqlite() };
    const servers: Server[] = [];
    const start = (database: string) => Server.start({ receiver: 'fastify', ...FULL, database });
    try {
      await (await start(stores['an empty store'])).stop();
      await appendTo(stores['a full store'], someEvents(events), { isRouted: true });
      const starting = Object.entries(stores).map(([name, database]) => ({
        name: `starting, ${name}`,
        what: `from the start of the process until it listens, ${name}`,
        async measure() {
          const begun = performance.now();
          const server = await start(database);
          const milliseconds = performance.now() - begun;
          await server.stop();
          return { ms: milliseconds };
        },
      }));
      const started = await inTurns(starting, rounds);
      const receiving = [];
      for (const [name, database] of Object.entries(stores)) {
        const server = await start(database);
        servers.push(server);
        receiving.push({
          name: `receiving, ${name}`,
          what: `receiving, ${name}`,
          async measure() {
            const { requestsPerSecond, cpu } = await server.load({ duration: slot });
            await server.drained();
            return { 'req/s': requestsPerSecond, 'µs CPU': cpu };
          },
        });
      }
      const received = await inTurns(receiving, rounds);
      const process = await start(databases.sqlite());
      servers.push(process);
      let sent = 0;
      const kept = [];
      for (const count of [few, many]) {
        while (sent < count) sent += (await process.load({ duration: slot })).accepted;
        await process.drained();
        const MB = (await process.memory()) / 2 ** 20;
        kept.push(rowOf(`memory after ${count}`, `memory held after ${count} deliveries`, [{ MB }]));
      }
      return {
        method: `ours on Nest + Fastify, on SQLite, ${CONNECTIONS} connections, a full store: ${events} events; medians of ${rounds} rounds (min – max)`,
        rows: [...started, ...received, ...kept],
        ratios: [
          ratioOf(received, 'req/s', 'receiving, a full store', ['receiving, an empty store']),
          ratioOf(started, 'ms', 'starting, a full store', ['starting, an empty store']),
          ratioOf(kept, 'MB', `memory after ${many}`, [`memory after ${few}`]),
        ],
      };
    } finally {
      for (const server of servers) await server.stop();
      await databases.drop();
    }
  },
};
