import type { Role } from '../../dist/index.js';
import { Child } from './child.js';
import type { DrainShape } from './drain/question.js';
import { appendTo, someEvents } from './events.js';
import type { Load } from './load.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, type Ratio, ratioOf, type Row } from './rounds.js';
import { CONNECTIONS, Server, type ServerShape } from './servers.js';
import { Databases } from './services.js';
import { busyHour } from './sessions/calls.js';

/** Milliseconds that a handler waits which asks another service. */
const WAITS = 20;

/** More than one process keeps up with. */
const CALLS_A_SECOND = 800;

const PROCESSES: Record<string, Role[]> = {
  'one process': ['all'],
  'two replicas': ['all', 'all'],
  'an edge and a worker': ['edge', 'worker'],
};
const ON_SQLITE = 'one process on SQLite';

/** What a second process on the same PostgreSQL is good for: it receives, makes sessions, and drains. */
export const replicas: Bench = {
  name: 'replicas',
  title: 'Two replicas beside one, on PostgreSQL',
  async run({ long }) {
    const databases = new Databases();
    const rows: Row[] = [];
    const ratios: Ratio[] = [];
    const [rounds, slot] = long ? [9, 3_000] : [5, 1_500];
    const part = new Part(databases, rounds, slot, rows, ratios);
    try {
      if ((await databases.postgres()) !== null) {
        await part.receiving();
        await part.keepingUp();
        await part.draining('empty handlers', {}, long ? 20_000 : 5_000);
        await part.draining(`handlers that wait ${WAITS} ms`, { waits: WAITS }, long ? 4_000 : 1_000);
      }
      return {
        method:
          `${CONNECTIONS} connections in all, Fastify, medians of ${rounds} rounds (min – max); receiving: a handler of every event ` +
          'at work meanwhile; keeping up with sessions: senders wait while more than 1,000 events are left to do; draining: 10 at once in each process',
        rows,
        ratios,
        leftOut: databases.leftOut,
      };
    } finally {
      await databases.drop();
    }
  },
};

class Part {
  constructor(
    private readonly databases: Databases,
    private readonly rounds: number,
    private readonly slot: number,
    private readonly rows: Row[],
    private readonly ratios: Ratio[],
  ) {}

  async receiving(): Promise<void> {
    await this.serving(
      'receiving',
      [...Object.keys(PROCESSES), ON_SQLITE],
      { handlers: 1 },
      async ([first, ...others]) => first.load({ duration: this.slot, others }),
    );
  }

  async keepingUp(): Promise<void> {
    let round = 0;
    const names = ['one process', 'two replicas', ON_SQLITE];
    await this.serving('keeping up with sessions', names, { sessions: true }, async ([first, ...others]) => {
      const bodies = busyHour((this.slot / 1_000) * CALLS_A_SECOND, `r${(round += 1)}-`);
      return first.loadAsHandled(bodies, this.slot, 1_000, others);
    });
  }

  async draining(what: string, shape: DrainShape, count: number): Promise<void> {
    const children: Child[] = [];
    const contestants: Contestant[] = [];
    for (const [name, processes] of [['one process', 1] as const, ['two replicas', 2] as const]) {
      const url = await this.database();
      const some: Child[] = [];
      for (let n = 0; n < processes; n += 1)
        some.push(await Child.start('drain/ours.ts', url, JSON.stringify(shape)));
      children.push(...some);
      contestants.push({
        name: `${what}, ${name}`,
        what: `draining, ${what}, ${name}`,
        async measure() {
          await appendTo(url, someEvents(count));
          const times = await Promise.all(some.map((child) => child.ask<number>({ count: 0 })));
          return { 'deliveries/s': count / (Math.max(...times) / 1_000) };
        },
      });
    }
    await this.compare(contestants, 'deliveries/s').finally(() =>
      Promise.all(children.map((child) => child.stop())),
    );
  }

  /** Servers of each kind, which `load` sends to. Those that are no worker are sent to, and the last one has the deliveries done. */
  private async serving(
    what: string,
    names: readonly string[],
    shape: Partial<ServerShape>,
    load: (servers: [Server, ...Server[]]) => Promise<Load>,
  ): Promise<void> {
    const started: Server[] = [];
    const contestants: Contestant[] = [];
    try {
      for (const name of names) {
        const database = name === ON_SQLITE ? this.databases.sqlite() : await this.database();
        const roles = PROCESSES[name] ?? ['all'];
        const servers: Server[] = [];
        for (const role of roles) {
          const server = await Server.start({ receiver: 'fastify', database, role, ...shape });
          servers.push(server);
          started.push(server);
        }
        const receiving = servers.filter((_, n) => roles[n] !== 'worker') as [Server, ...Server[]];
        contestants.push({
          name: `${what}, ${name}`,
          what: `${what}, ${name}`,
          async measure() {
            const { requestsPerSecond, p99 } = await load(receiving);
            await servers.at(-1)?.drained(); // so that it is nobody else's turn that it works in
            return { 'req/s': requestsPerSecond, 'ms p99': p99 };
          },
        });
      }
      await this.compare(contestants, 'req/s');
    } finally {
      for (const server of started) await server.stop();
    }
  }

  /** Each of them beside the first. */
  private async compare(contestants: Contestant[], unit: string): Promise<void> {
    const rows = await inTurns(contestants, this.rounds);
    const [first = '', ...others] = rows.map(({ name }) => name);
    this.rows.push(...rows);
    this.ratios.push(...others.map((name) => ratioOf(rows, unit, name, [first])));
  }

  private async database(): Promise<string> {
    return (await this.databases.postgres()) ?? '';
  }
}
