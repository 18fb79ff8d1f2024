import type { HandlerOptions } from '../../dist/index.js';
import { nextBody } from './bodies.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, SMOKE, warmingUp } from './rounds.js';
import { CONNECTIONS, FULL, Server } from './servers.js';
import { Databases } from './services.js';

/** More than is received in a second. */
const MOST_A_SECOND = 10_000;

/** What may be left to do while senders go on. */
const MOST_LEFT = 1_000;

const HANDLERS: Record<string, HandlerOptions> = {
  single: {},
  batched: { batch: 128 },
  transactional: { transactional: true },
  'transactional batched': { transactional: true, batch: 128 },
};

/** How many webhooks a second handlers can follow that write to the same SQLite file as what receives them. */
export const keepingUp: Bench = {
  name: 'keeping-up',
  title: 'Keeping up with what is received',
  async run({ long, smoke }) {
    const [rounds, slot] = smoke ? SMOKE : long ? [9, 2_000] : [5, 1_000];
    const { again, before } = warmingUp(slot, smoke);
    const databases = new Databases();
    const servers: Server[] = [];
    const contestants: Contestant[] = [];
    try {
      for (const [name, handling] of Object.entries(HANDLERS)) {
        const server = await Server.start({
          receiver: 'fastify',
          ...FULL,
          handling,
          database: databases.sqlite(),
        });
        servers.push(server);
        const loaded = (duration: number) => server.loadAsHandled(bodiesFor(duration), duration, MOST_LEFT);
        const measure = async () => {
          await loaded(again);
          await server.drained();
          const { accepted, requestsPerSecond } = await loaded(slot);
          const sent = performance.now();
          await server.drained();
          return { 'req/s': accepted / (accepted / requestsPerSecond + (performance.now() - sent) / 1000) };
        };
        contestants.push({ name, what: `three handlers, ${name}`, measure });
      }
      const rows = await inTurns(contestants, rounds, before);
      const [first = '', ...others] = Object.keys(HANDLERS);
      return {
        method: `ours on Nest + Fastify, on SQLite, ${CONNECTIONS} connections that wait while more than ${MOST_LEFT} events and deliveries are left to do, until all is done; medians of ${rounds} rounds of ${slot / 1000} s (min – max), each after ${again / 1000} s of warming up, and after ${before} rounds that do not count`,
        rows,
        ratios: others.map((name) => ratioOf(rows, 'req/s', name, [first])),
      };
    } finally {
      for (const server of servers) await server.stop();
      await databases.drop();
    }
  },
};

const bodiesFor = (milliseconds: number): string[] =>
  Array.from({ length: (MOST_A_SECOND * milliseconds) / 1000 }, () => nextBody().body);
