import type { SessionsFilter } from '../../dist/index.js';
import { Child } from './child.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, type Measure, type Ratio, ratioOf, type Row, rowOf } from './rounds.js';
import { Server, type ServerShape } from './servers.js';
import { type DatabaseKind, Databases } from './services.js';
import { busyHour, CALLS } from './sessions/calls.js';
import { copyOf } from './sessions/copies.js';
import type { HostQuestion } from './sessions/host.js';

/** Events of a copy of each of the calls. */
const EVENTS = 41;

interface Store {
  name: string;
  events: number;
  active: number;
}

interface Stores {
  small: Store;
  active: Store;
  full: Store;
}

const STORES: Stores = {
  small: { name: '10,000 events, 100 active', events: 10_000, active: 100 },
  active: { name: '10,000 events, 10,000 active', events: 10_000, active: 10_000 },
  full: { name: '1,000,000 events, 10,000 active', events: 1_000_000, active: 10_000 },
};

/** Those that are made where it is only to be seen that this runs. */
const SMOKE_STORES: Stores = {
  small: { name: 'small', events: 500, active: 5 },
  active: { name: 'active', events: 500, active: 500 },
  full: { name: 'full', events: 20_000, active: 500 },
};

const copiesIn = ({ events }: Store): number => Math.ceil(events / EVENTS);

/**
 * What sessions cost where there are very many: 10,000 that are active, a room with 20,000 events, a store of 1,000,000; and
 * how many requests a second they keep up with.
 */
export const sessions: Bench = {
  name: 'sessions',
  title: 'Sessions at scale',
  async run({ long, smoke }) {
    const shape = smoke ? SMOKE_SHAPE : long ? LONG_SHAPE : SHAPE;
    const databases = new Databases();
    const rows: Row[] = [];
    const ratios: Ratio[] = [];
    try {
      for (const { kind } of await databases.all()) {
        const part = new Part(kind, () => databases.one(kind), shape, rows, ratios);
        await part.stores();
        await part.largeRoom();
        await part.sustained();
      }
      return {
        method:
          'folding: the projection of 64 events of 64 rooms, taken back; listing: a page of 50; the stores hold copies of recorded calls, ' +
          'and the bytes and deliveries of a tenth of them; starting: until it listens; settling: 1,000 at once, while 8 lanes append; ' +
          'keeping up: senders wait while more than 1,000 events are left to do',
        rows,
        ratios,
        leftOut: databases.leftOut,
      };
    } finally {
      await databases.drop();
    }
  },
};

/** How much of it is done, lengths in milliseconds. */
interface Shape extends Stores {
  starts: number;
  folds: number;
  rounds: number;
  slot: number;
  /** In the large room. */
  connections: number;
  sustained: number;
}

const SHAPE: Shape = {
  ...STORES,
  starts: 5,
  folds: 3,
  rounds: 4,
  slot: 1_000,
  connections: 2_500,
  sustained: 4_000,
};

const LONG_SHAPE: Shape = {
  ...STORES,
  starts: 5,
  folds: 9,
  rounds: 9,
  slot: 3_000,
  connections: 5_000,
  sustained: 20_000,
};

const SMOKE_SHAPE: Shape = {
  ...SMOKE_STORES,
  starts: 1,
  folds: 1,
  rounds: 1,
  slot: 100,
  connections: 50,
  sustained: 500,
};

/** All of it on one kind of database. */
class Part {
  constructor(
    private readonly kind: DatabaseKind,
    private readonly fresh: () => Promise<string>,
    private readonly shape: Shape,
    private readonly rows: Row[],
    private readonly ratios: Ratio[],
  ) {}

  /** What becomes of folding, listing, starting, settling and receiving in a store that is full. */
  async stores(): Promise<void> {
    const { small, active, full } = this.shape;
    const urls = new Map<Store, string>();
    for (const store of [small, active, full]) urls.set(store, await this.filled(store));
    const urlOf = (store: Store) => urls.get(store) ?? '';
    await this.starting(urlOf);
    await this.hosted(urlOf);
    await this.receiving(urlOf(full));
  }

  private async filled(store: Store): Promise<string> {
    const url = await this.fresh();
    await using(await Child.start('sessions/fill.ts', url), async (child) => {
      await child.ask({ series: 'f', calls: CALLS, copies: copiesIn(store) });
      await child.ask({ series: 'a', calls: ['two-party-call'], copies: store.active, events: 5 });
    });
    return url;
  }

  private async starting(urlOf: (store: Store) => string): Promise<void> {
    const { small, full, starts } = this.shape;
    const children = await Promise.all(
      [small, full].map((store) => Child.start('sessions/start.ts', urlOf(store))),
    );
    const contestants = [small, full].map((store, nth) =>
      this.contestant(`starting, ${store.name}`, async () => ({
        ms: (await children[nth]?.ask<number>({})) ?? NaN,
      })),
    );
    await this.compare(contestants, starts, [[full, small, 'starting']]).finally(() =>
      Promise.all(children.map((child) => child.stop())),
    );
  }

  private async hosted(urlOf: (store: Store) => string): Promise<void> {
    const { small, active, full } = this.shape;
    const hosts = new Map<Store, Child>();
    for (const store of [small, active, full]) {
      hosts.set(store, await Child.start('sessions/host.ts', urlOf(store), String(store.active)));
    }
    const ask = <T>(store: Store, question: HostQuestion): Promise<T> =>
      (hosts.get(store) as Child).ask<T>(question);
    try {
      const folding = [small, active, full].map((store) =>
        this.contestant(`folding, ${store.name}`, async () => ({
          ms: await ask<number>(store, { ask: 'fold', rounds: 10 }),
        })),
      );
      await this.compare(folding, this.shape.folds, [
        [active, small, 'folding'],
        [full, small, 'folding'],
      ]);
      const counting = [small, full].map((store) =>
        this.contestant(`counting those who are there, ${store.name}`, async () => ({
          ms: await ask<number>(store, { ask: 'participants', rounds: 3 }),
        })),
      );
      await this.compare(counting, 3, []);
      for (const [what, filterIn] of Object.entries(FILTERS)) {
        const measures: Measure[] = [];
        for (let round = 0; round <= 3; round += 1) {
          const listed = (store: Store) =>
            ask<number>(store, { ask: 'list', filter: filterIn(store), rounds: 5 });
          const [few, many] = await Promise.all([listed(small), listed(full)]);
          const measure = { ms: many, 'ms at 10,000': few };
          if (round > 0) measures.push(measure);
        }
        this.rows.push(this.row(`listing ${what}, 1,000,000 events`, measures));
      }
      for (const store of [small, full]) {
        const measure = await ask<Measure>(store, {
          ask: 'settle',
          sessions: Math.min(1_000, copiesIn(store) * 3),
        });
        this.rows.push(this.row(`settling at once, ${store.name}`, [measure]));
      }
    } finally {
      for (const host of hosts.values()) await host.stop();
    }
  }

  private async receiving(full: string): Promise<void> {
    const servers: Server[] = [];
    const contestants: Contestant[] = [];
    for (const [name, database] of [
      ['an empty store', await this.fresh()] as const,
      [this.shape.full.name, full] as const,
    ]) {
      const server = await Server.start({ receiver: 'fastify', database, sessions: true });
      servers.push(server);
      contestants.push(
        this.contestant(`receiving, ${name}`, async () => {
          const { requestsPerSecond, p99 } = await server.load({ duration: this.shape.slot });
          await server.drained();
          return { 'req/s': requestsPerSecond, 'ms p99': p99 };
        }),
      );
    }
    const rows = await inTurns(contestants, this.shape.rounds).finally(() =>
      Promise.all(servers.map((server) => server.stop())),
    );
    this.rows.push(...rows);
    this.ratios.push(
      ratioOf(rows, 'req/s', `${this.kind}, receiving, ${this.shape.full.name}`, [
        `${this.kind}, receiving, an empty store`,
      ]),
    );
  }

  /** A room that thousands come to, beside as many events of calls of ten each. */
  async largeRoom(): Promise<void> {
    const connections = this.shape.connections;
    const rooms = { 'one room': true, 'rooms of 10': false };
    const contestants: Contestant[] = [];
    for (const [name, inOneRoom] of Object.entries(rooms)) {
      contestants.push(
        this.contestant(`projecting ${connections * 4} events of ${name}`, async () =>
          using(await Child.start('sessions/projecting.ts', await this.fresh()), (child) =>
            child.ask<Measure>({ connections, inOneRoom }),
          ),
        ),
      );
    }
    const rows: Row[] = [];
    for (const { name, what, measure } of contestants) rows.push(rowOf(name, what, [await measure()]));
    this.rows.push(...rows);
    const [one = '', ten = ''] = rows.map(({ name }) => name);
    this.ratios.push(ratioOf(rows, 'ms an event', one, [ten]));
  }

  /** How many requests a second it can take for ever. */
  async sustained(): Promise<void> {
    const slot = this.shape.sustained;
    for (const receiver of ['fastify', 'express'] satisfies ServerShape['receiver'][]) {
      const server = await Server.start({ receiver, database: await this.fresh(), sessions: true });
      const bodies = busyHour((slot / 1_000) * 400, receiver);
      const { requestsPerSecond, p99 } = await server
        .loadAsHandled(bodies, slot, 1_000)
        .finally(() => server.stop());
      this.rows.push(this.row(`keeping up, ${receiver}`, [{ 'req/s': requestsPerSecond, 'ms p99': p99 }]));
    }
  }

  private async compare(
    contestants: Contestant[],
    rounds: number,
    pairs: [Store, Store, string][],
  ): Promise<void> {
    const rows = await inTurns(contestants, rounds);
    this.rows.push(...rows);
    for (const [one, other, what] of pairs) {
      const named = (store: Store) => `${this.kind}, ${what}, ${store.name}`;
      this.ratios.push(ratioOf(rows, 'ms', named(one), [named(other)]));
    }
  }

  private contestant(what: string, measure: () => Promise<Measure>): Contestant {
    const name = `${this.kind}, ${what}`;
    return { name, what: name, measure };
  }

  private row(what: string, measures: Measure[]): Row {
    return rowOf(`${this.kind}, ${what}`, `${this.kind}, ${what}`, measures);
  }
}

/** A call in the middle of a store. */
const middle = (store: Store) => copyOf('f', Math.ceil(copiesIn(store) / 2), copiesIn(store));

/** The cursor of a page in the middle of a store, half a million events deep. */
const deep = (store: Store): { cursor: string } => ({
  cursor: Buffer.from(`${middle(store).at * 1_000}:1`).toString('base64url'),
});

const AGENT = 'support-agent';

const FILTERS: Record<string, (store: Store) => SessionsFilter> = {
  'the first page': () => ({}),
  'a page of 200': () => ({ limit: 200 }),
  'a page in the middle': deep,
  'those that are active': () => ({ state: 'active' }),
  'settled ones in the middle': (store) => ({ state: 'settled', ...deep(store) }),
  'a session id': (store) => ({ sessionId: `call-${middle(store).code}1001` }),
  'a room by its name': (store) => ({ room: `call-${middle(store).code}1001` }),
  'a room by its sid': (store) => ({ room: `RM_${middle(store).code}ZP36R4UfruiF` }),
  'a caller': (store) => ({ identity: `caller-${middle(store).code}1001` }),
  'an agent who is in nearly all': () => ({ identity: AGENT }),
  'an agent, in the middle': (store) => ({ identity: AGENT, ...deep(store) }),
  "a caller's number": (store) => ({ number: `+49${middle(store).code}` }),
  'a number of ours, in a quarter of all': () => ({ number: '+15550199' }),
  'a number of ours, of a project': () => ({ number: '+15550199', project: 'other' }),
  'a time on': (store) => ({ from: new Date(middle(store).at * 1_000) }),
  'up to a time': (store) => ({ to: new Date(middle(store).at * 1_000) }),
  'the unmatched': () => ({ unmatched: true }),
  'the matched': () => ({ unmatched: false }),
  'a project': () => ({ project: 'other' }),
  'a project, in the middle': (store) => ({ project: 'other', ...deep(store) }),
  'a state that a project has none of': () => ({ project: 'other', state: 'ended' }),
};

async function using<T>(child: Child, work: (child: Child) => Promise<T>): Promise<T> {
  return work(child).finally(() => child.stop());
}
