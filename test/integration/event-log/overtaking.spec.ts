import pg from 'pg';
import { Erasure } from '../../../src/event-log/retention/erasure.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { sqlQuery } from '../../support/database.js';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { until } from '../../support/until.js';

const DAY = 86_400_000;

/** An advisory lock of PostgreSQL that nobody but a test takes. */
const HELD_UP = 4711;

// SQLite has one writer: nobody does anything while another does.
describeOnPostgres('what is done to the log while somebody else is at it', () => {
  const hosts = handlerHosts();
  let holding: pg.Client;

  /** Lets a change of a table wait, with all that its transaction has locked, until `holding` ends. */
  const holdUp = async (change: string): Promise<void> => {
    await sqlQuery(
      hosts.url,
      `CREATE FUNCTION hold_up() RETURNS trigger AS $$
         BEGIN PERFORM pg_advisory_xact_lock(${HELD_UP}); RETURN NULL; END
       $$ LANGUAGE plpgsql`,
    );
    await sqlQuery(
      hosts.url,
      `CREATE TRIGGER held_up AFTER ${change} FOR EACH STATEMENT EXECUTE FUNCTION hold_up()`,
    );
    holding = new pg.Client({ connectionString: hosts.url });
    await holding.connect();
    await holding.query(`SELECT pg_advisory_lock(${HELD_UP})`);
  };
  const waiting = async (): Promise<number> => {
    const rows = await sqlQuery(
      hosts.url,
      `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.length;
  };

  afterEach(() => holding.end());

  test('an erasure of what a delivery failed with lets nobody overtake it in its room', async () => {
    const given: string[] = [];
    const take = ({ eventId }: { eventId: string }) => {
      given.push(eventId);
      if (given.length === 1) throw new Error('no account for alice');
    };
    const host = await hosts.boot([handlerOf('rooms', take, { ordering: 'room', backoff: () => 1_000 })]);
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    await host.receive(['EV_2', 'room_finished', 'RM_1']);
    await host.deliveries.drain();
    await holdUp('UPDATE ON livekit_attempts');
    const erased = host.app.get(Erasure).eraseIdentity('alice');
    await until('the erasure to be held up', async () => (await waiting()) === 1);
    const passed = host.pass(1_200);
    await until('somebody to wait for it, or not', async () => (await waiting()) > 1 || given.length > 1);
    await holding.end();
    await Promise.all([erased, passed]);
    expect(await erased).toMatchObject({ errors: 2 });
    expect(given).toEqual(['EV_1', 'EV_1', 'EV_2']);
  });

  test('pruning takes nothing that is being replayed', async () => {
    const given: number[] = [];
    const retention = { deliveries: false, bodies: DAY, events: 2 * DAY } as const;
    const host = await hosts.boot([handlerOf('again', (_, { replay }) => given.push(replay))], {
      options: { retention },
    });
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    host.clock.advance(3 * DAY);
    await holdUp('INSERT ON livekit_deliveries');
    const [delivery] = (await host.deliveries.list()).deliveries;
    const replayed = host.deliveries.replay(delivery?.id ?? 0);
    await until('the replay to be held up', async () => (await waiting()) === 1);
    const pruned = host.app.get(Retention).prune();
    let isPruned = false;
    void pruned.finally(() => (isPruned = true));
    await until('it to be waited for, or not', async () => (await waiting()) > 1 || isPruned);
    await holding.end();
    await replayed;
    expect(await pruned).toMatchObject({ bodies: 0, events: 0 });
    await host.deliveries.drain();
    expect(given).toEqual([0, 1]);
  });
});
