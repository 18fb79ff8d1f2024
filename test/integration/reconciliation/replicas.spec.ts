import { systemClock } from '../../../src/event-log/clock.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { LivekitStandIn } from '../../support/livekit-stand-in.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { bootReconciled, type ReconciledHost } from '../../support/reconciled.js';
import { until } from '../../support/until.js';

/** Milliseconds. */
const INTERVAL = 100;

describe('reconciliation that goes on by itself', () => {
  let database: FreshDatabase;
  let standIn: LivekitStandIn;
  let hosts: ReconciledHost[];

  beforeEach(async () => {
    database = await freshDatabase();
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
    hosts = [];
  });

  afterEach(async () => {
    await Promise.all(hosts.map(({ app }) => app.close()));
    await standIn.stop();
    await database.drop();
  });

  const boot = async (): Promise<ReconciledHost> => {
    const host = await bootReconciled(database.url, standIn, {
      useClock: systemClock,
      reconcileInterval: INTERVAL,
      isLeft: true,
    });
    hosts.push(host);
    return host;
  };

  test('asks on its interval', async () => {
    const host = await boot();
    await until('some rounds', () => host.rounds.length > 3);
    expect(host.rounds.every(({ outcome }) => outcome === 'done')).toBe(true);
  });

  test('asks less and less often when LiveKit fails, complains once, and says when it is well again', async () => {
    standIn.troubles.set('ListRooms', { status: 503, code: 'unavailable', msg: 'no healthy upstream' });
    const begun = Date.now(); // it asks before it has booted
    const host = await boot();
    await until('three failures', () => host.rounds.length >= 3);
    expect(Date.now() - begun).toBeGreaterThan(2_000); // one second, then two, by and large
    standIn.troubles.clear();
    await until('a success', () => host.rounds.at(-1)?.outcome === 'done');
    expect(host.logger.of('Reconciliation')).toMatchObject([
      {
        message: 'a project is not reconciled with LiveKit; trying again, less and less often',
        project: 'default',
        cause: 'failed',
        errorMessage: '503 unavailable',
      },
      { message: 'a project is reconciled with LiveKit again', project: 'default' },
    ]);
    expect(host.logger.text()).not.toContain(CAPTURE_KEY.apiSecret);
  });

  test('a LiveKit that does not answer holds nobody up for long', async () => {
    standIn.troubles.set('ListRooms', 'hang');
    const host = await boot();
    await until('the failure', () => host.rounds.length > 0);
    expect(host.rounds[0]?.outcome).toBe('failed');
    expect(host.logger.text()).toContain('no answer in time');
  });

  describeOnPostgres('with several replicas', () => {
    test('one asks, and another does when it is gone', async () => {
      const first = await boot();
      await until('the first to ask', () => first.rounds.length > 0);
      const second = await boot();
      await until('more rounds of the first', () => first.rounds.length > 10);
      expect(second.rounds).toEqual([]);
      hosts.shift();
      await first.app.close();
      await until('the second to ask', () => second.rounds.length > 0);
    });

    test('one asks though PostgreSQL has aborted what made it the one, for the sake of another transaction', async () => {
      const host = await boot();
      await until('it to ask', () => host.rounds.length > 0);
      for (const statement of [
        'CREATE SEQUENCE renewals',
        `CREATE FUNCTION abort_first() RETURNS trigger AS $$ BEGIN
           IF nextval('renewals') = 1 THEN RAISE EXCEPTION 'aborted' USING ERRCODE = 'serialization_failure'; END IF;
           RETURN NEW;
         END $$ LANGUAGE plpgsql`,
        'CREATE TRIGGER aborted BEFORE UPDATE ON livekit_duties FOR EACH ROW EXECUTE FUNCTION abort_first()',
      ]) {
        await sqlQuery(database.url, statement);
      }
      await until('some renewals', async () => {
        const [row] = await sqlQuery<{ last: string }>(
          database.url,
          'SELECT last_value AS last FROM renewals',
        );
        return Number(row?.last) > 3;
      });
      expect(host.logger.text()).not.toContain('is not reconciled');
    });

    test('another asks when the lease of one that died is over', async () => {
      const host = await boot();
      await until('it to ask', () => host.rounds.length > 0);
      hosts.shift();
      await host.app.close();
      const heldUntil = Date.now() + 2_000;
      await sqlQuery(
        database.url,
        "INSERT INTO livekit_duties (name, holder, held_until) VALUES ('reconciliation:default', 'the dead', ?)",
        [heldUntil],
      );
      const next = await boot();
      await until('the next to ask', () => next.rounds.length > 0, 15_000);
      expect(Date.now()).toBeGreaterThanOrEqual(heldUntil);
    });
  });
});
