import { Collector } from '../support/collector.js';
import { until } from '../support/until.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, rowOf, SMOKE, warmUps } from './rounds.js';
import { CONNECTIONS, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

const UNIT = 'µs CPU';

/** What is watched, one thing more each time. */
const CASES: Record<string, Partial<ServerShape> & { what: string; traces?: number }> = {
  nothing: { what: 'neither log lines nor metrics', logs: false },
  logs: { what: '+ a log line a delivery' },
  metrics: { what: '+ metrics', metrics: true },
  traces: { what: '+ traces of one in a hundred', metrics: true, traces: 0.01 },
};

/** What it costs a delivery that somebody watches. */
export const observing: Bench = {
  name: 'observing',
  title: 'Being watched',
  async run({ long, smoke }) {
    const [rounds, slot] = smoke ? SMOKE : long ? [15, 2_000] : [7, 700];
    const databases = new Databases();
    const collector = await Collector.listen();
    const servers: Server[] = [];
    try {
      const contestants: Contestant[] = [];
      for (const [name, { what, traces, ...shape }] of Object.entries(CASES)) {
        const server = await Server.start(
          { receiver: 'fastify', ...shape, database: databases.sqlite() },
          traces === undefined ? {} : { ...collector.env, ...sampling(smoke ? 1 : traces) },
        );
        servers.push(server);
        contestants.push({
          name,
          what,
          async measure() {
            const { cpu } = await server.load({ duration: slot });
            await server.drained();
            return { [UNIT]: cpu };
          },
        });
      }
      const rows = await inTurns(contestants, rounds, smoke ? 1 : warmUps(slot));
      await until('traces to come', () => collector.bodies.length > 0);
      const names = Object.keys(CASES);
      const costs = names.slice(1).map((name, n) => {
        const [before, after] = [rows[n], rows[n + 1]];
        const more = (after?.rounds ?? []).map((measure, round) => ({
          [`${UNIT} more`]: (measure[UNIT] ?? NaN) - (before?.rounds[round]?.[UNIT] ?? NaN),
        }));
        return rowOf(`${name}, alone`, `${CASES[name]?.what ?? ''}, alone`, more);
      });
      return {
        method: `ours on Nest + Fastify, on SQLite, ${CONNECTIONS} connections, processor time of a delivery, medians of ${rounds} rounds of ${slot / 1000} s (min – max) after ${warmUps(slot)} of warming up`,
        rows: [...rows, ...costs],
        ratios: names.slice(1).map((name) => ratioOf(rows, UNIT, name, ['nothing'])),
      };
    } finally {
      for (const server of servers) server.stop();
      await collector.close();
      await databases.drop();
    }
  },
};

const sampling = (share: number): Record<string, string> => ({
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: `${share}`,
  OTEL_BSP_SCHEDULE_DELAY: '1000',
});
