import { Collector } from '../support/collector.js';
import { until } from '../support/until.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf, type Row, rowOf, SMOKE, warmingUp } from './rounds.js';
import { CONNECTIONS, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';

const UNIT = 'µs CPU';

type Case = Partial<ServerShape> & { what: string; traces?: number };

/** What is watched, one thing more each time. */
const CASES: Record<string, Case> = {
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
    const [rounds, slot] = smoke ? SMOKE : [3, long ? 2_000 : 700];
    const { again, before } = warmingUp(slot, smoke);
    const processes = smoke ? 1 : long ? 5 : 2;
    const databases = new Databases();
    const collector = await Collector.listen();
    const servers: Server[] = [];
    const start = async ([name, { what, traces, ...shape }]: [string, Case]): Promise<Contestant> => {
      const server = await Server.start(
        { receiver: 'fastify', ...shape, database: databases.sqlite() },
        traces === undefined ? {} : { ...collector.env, ...sampling(smoke ? 1 : traces) },
      );
      servers.push(server);
      const measure = async () => {
        const { cpu } = await server.load({ warmUp: again, duration: slot });
        await server.drained();
        return { [UNIT]: cpu };
      };
      return { name, what, measure };
    };
    try {
      const measured: Row[][] = [];
      for (let nth = 0; nth < processes; nth += 1) {
        const contestants: Contestant[] = [];
        for (const named of Object.entries(CASES)) contestants.push(await start(named));
        measured.push(await inTurns(contestants, rounds, before));
        await until('traces to come', () => collector.bodies.length > 0);
        for (const server of servers.splice(0)) await server.stop();
      }
      const names = Object.keys(CASES);
      const rows = names.map((name, n) =>
        rowOf(
          name,
          CASES[name]?.what ?? '',
          measured.flatMap((of) => of[n]?.rounds ?? []),
        ),
      );
      const costs = names.slice(1).map((name, n) => {
        const [less, more] = [rows[n], rows[n + 1]];
        const differences = (more?.rounds ?? []).map((measure, round) => ({
          [`${UNIT} more`]: (measure[UNIT] ?? NaN) - (less?.rounds[round]?.[UNIT] ?? NaN),
        }));
        return rowOf(`${name}, alone`, `${CASES[name]?.what ?? ''}, alone`, differences);
      });
      return {
        method: `ours on Nest + Fastify, on SQLite, ${CONNECTIONS} connections, processor time of a delivery, medians of ${rounds} rounds of ${slot / 1000} s (min – max), each after ${again / 1000} s of warming up, in each of ${processes} processes, after ${before} rounds that do not count: Node makes more of one process than of another`,
        rows: [...rows, ...costs],
        ratios: names.slice(1).map((name) => ratioOf(rows, UNIT, name, ['nothing'])),
      };
    } finally {
      for (const server of servers) await server.stop();
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
