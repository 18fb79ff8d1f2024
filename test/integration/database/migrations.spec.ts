import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { createDataSource } from '../../../src/database/data-source.js';
import { DatabaseConfigurationError, PendingMigrationsError } from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import { KeptIds0000000000008 } from '../../../src/database/migrations/0008-kept-ids.js';
import { migrations } from '../../../src/database/migrations/index.js';
import { type FreshDatabase, emptyDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { testOnPostgres } from '../../support/only-on.js';
import { until } from '../../support/until.js';

/** What a release that does not know of it never notices: statements name their columns, and none names an index. */
const isAddition = (sql: string): boolean =>
  /^(CREATE INDEX|DROP INDEX|UPDATE) /.test(sql) ||
  /^ALTER TABLE \w+ ADD COLUMN \w+ \w+( NOT NULL DEFAULT \S+)?$/.test(sql);

describe('migrations', () => {
  let database: FreshDatabase;
  const opened: DataSource[] = [];

  const connect = async (): Promise<DataSource> => {
    const dataSource = await createDataSource({ url: database.url }).initialize();
    opened.push(dataSource);
    return dataSource;
  };

  beforeEach(async () => {
    database = await emptyDatabase();
  });

  afterEach(async () => {
    for (const dataSource of opened.splice(0)) await dataSource.destroy();
    await database.drop();
  });

  test('make the schema that the entities describe', async () => {
    const dataSource = await connect();
    await dataSource.runMigrations();
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  test('can be taken back, one by one, to nothing, and run again', async () => {
    const dataSource = await connect();
    const ran = await dataSource.runMigrations();
    for (const _ of ran) await dataSource.undoLastMigration();
    expect(await dataSource.showMigrations()).toBe(true);
    expect(await dataSource.runMigrations()).toHaveLength(ran.length);
  });

  test('keep the ids that expectations had given', async () => {
    const dataSource = await connect();
    await dataSource.runMigrations();
    const session = (room: string, id: string) => `('default', '${room}', 0, '${id}', 'settled', 1, 1, '')`;
    await dataSource.query(
      `INSERT INTO livekit_sessions (source, room_sid, segment, session_id, state, began_at, revision, digest)
       VALUES ${session('RM_1', 'order-1')}, ${session('RM_2', 'room-2')}`,
    );
    await dataSource.query(
      `INSERT INTO livekit_expected_sessions (source, session_id, metadata, state, expected_at, expires_at, room_sid)
       VALUES ('default', 'order-1', '{}', 'matched', 1, 2, 'RM_1'), ('default', 'room-2', '{}', 'awaiting', 1, 2, NULL)`,
    );
    await new KeptIds0000000000008().down(dataSource.createQueryRunner());
    await new KeptIds0000000000008().up(dataSource.createQueryRunner());
    const kept = await dataSource.query('SELECT room_sid, id_kept FROM livekit_sessions ORDER BY room_sid');
    expect(kept).toEqual([
      { room_sid: 'RM_1', id_kept: 'matched' },
      { room_sid: 'RM_2', id_kept: null },
    ]);
  });

  test('run once when several processes start at once', async () => {
    const starts = onPostgres ? 10 : 1; // SQLite has one process
    const stores = await Promise.all(
      Array.from({ length: starts }, () => EventStore.open({ url: database.url, poolSize: 2 })),
    );
    for (const store of stores) await store.close();
    const ran = await sqlQuery<{ name: string }>(
      database.url,
      'SELECT name FROM livekit_migrations ORDER BY id',
    );
    expect(ran.map(({ name }) => name)).toEqual(migrations.map((one) => new one().name));
  });

  testOnPostgres('wait for whoever runs them, and do not wait for one that is gone', async () => {
    const holder = new pg.Client({ connectionString: database.url });
    holder.on('error', () => undefined);
    await holder.connect();
    await holder.query('BEGIN');
    const { rows } = await holder.query(
      'SELECT pg_advisory_xact_lock(1819047784, 1), pg_backend_pid() AS pid',
    );
    const opening = EventStore.open({ url: database.url });
    await until('it to ask for the lock', async () => {
      const asking = await sqlQuery(
        database.url,
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_try_advisory_xact_lock%' AND pid <> pg_backend_pid()`,
      );
      return asking.length > 0;
    });
    expect(await sqlQuery(database.url, "SELECT to_regclass('livekit_events') AS events")).toEqual([
      { events: null },
    ]);
    await sqlQuery(database.url, 'SELECT pg_terminate_backend(?)', [(rows[0] as { pid: number }).pid]);
    await (await opening).close();
  });

  class Next9999999999999 implements MigrationInterface {
    readonly name = 'Next9999999999999';

    async up(runner: QueryRunner): Promise<void> {
      await runner.query('ALTER TABLE livekit_events ADD COLUMN next text');
    }

    down = async (): Promise<void> => undefined;
  }

  testOnPostgres('give way to those who use a table for long, and get it when it is free', async () => {
    const running = await EventStore.open({ url: database.url });
    const user = new pg.Client({ connectionString: database.url });
    await user.connect();
    await user.query('BEGIN');
    await user.query('SELECT count(*) FROM livekit_events');
    const opening = EventStore.open({ url: database.url, entityMigrations: [Next9999999999999] });
    const waiting = async () =>
      (
        await sqlQuery(
          database.url,
          "SELECT 1 FROM pg_locks WHERE relation = 'livekit_events'::regclass AND NOT granted",
        )
      ).length > 0;
    for (const _ of [1, 2]) {
      await until('it to wait for the table', waiting);
      // Behind a wait for the whole table everybody would wait.
      await running.write((manager) => manager.query('SELECT 1 FROM livekit_events'));
      await until('it to give way', async () => !(await waiting()));
    }
    await user.query('COMMIT');
    await user.end();
    for (const store of [await opening, running]) await store.close();
    expect(await sqlQuery(database.url, 'SELECT next FROM livekit_events')).toEqual([]);
  });

  class Long9999999999999 implements MigrationInterface {
    readonly name = 'Long9999999999999';

    async up(runner: QueryRunner): Promise<void> {
      await runner.query('SELECT pg_sleep(2.5)');
    }

    down = async (): Promise<void> => undefined;
  }

  testOnPostgres('take as long as they take, whatever the database has set', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const settings = await sqlQuery<{ name: string }>(
      database.url,
      "SELECT name FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')",
    );
    for (const setting of settings) {
      await sqlQuery(database.url, `ALTER DATABASE ${name} SET ${setting.name} = '2s'`);
    }
    const store = await EventStore.open({ url: database.url, entityMigrations: [Long9999999999999] });
    await store.close();
  });

  describe('of a role that may make no tables', () => {
    const openAs = (options: string, mode: 'run' | 'check' = 'run') =>
      EventStore.open({ url: `${database.url}?options=${encodeURIComponent(options)}`, migrations: mode });

    testOnPostgres.each([
      ['without the right to', '-c role=pg_monitor'],
      ['without a schema to make them in', '-c search_path=nowhere'],
    ])('are refused with the cure, %s', async (_, options) => {
      await sqlQuery(database.url, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'); // as it is since PostgreSQL 15
      await expect(openAs(options)).rejects.toThrow(DatabaseConfigurationError);
      await expect(openAs(options, 'check')).rejects.toThrow(/GRANT it CREATE on the schema/);
    });

    testOnPostgres('are not asked of it where another has run them', async () => {
      await (await EventStore.open({ url: database.url })).close();
      for (const statement of [
        'GRANT USAGE ON SCHEMA public TO pg_monitor',
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pg_monitor',
      ]) {
        await sqlQuery(database.url, statement);
      }
      const store = await openAs('-c role=pg_monitor');
      await store.ping();
      await store.close();
    });
  });

  test('only add: who knows the schema of the release before goes on', async () => {
    const dataSource = await connect();
    const runner = dataSource.createQueryRunner();
    const query = runner.query.bind(runner);
    const statements: string[] = [];
    runner.query = ((sql: string, ...others: []) => {
      statements.push(sql.replaceAll(/\s+/g, ' ').trim());
      return query(sql, ...others);
    }) as typeof query;
    for (const Migration of migrations) await new Migration().up(runner);
    await runner.release();
    const made = new Set<string>();
    const breaking = statements.filter((sql) => {
      const [, table = ''] = /(?:CREATE TABLE|ALTER TABLE|UPDATE|INDEX \w+ ON) (\w+)/.exec(sql) ?? [];
      if (sql.startsWith('CREATE TABLE')) made.add(table);
      const isOfNewTable = made.has(table) && !sql.startsWith('ALTER');
      return !isAddition(sql) && !isOfNewTable;
    });
    expect(breaking).toEqual([]);
  });

  test('are only checked when asked so, and a schema that is behind is refused with the cure', async () => {
    const open = () => EventStore.open({ url: database.url, migrations: 'check' });
    await expect(open()).rejects.toThrow(PendingMigrationsError);
    await expect(open()).rejects.toThrow(/livekit-webhooks migrate/);
    await (await EventStore.open({ url: database.url })).close();
    await (await open()).close();
  });

  test('are left alone when asked so, and where there is no schema at all that is said with the cure', async () => {
    const open = () => EventStore.open({ url: database.url, migrations: 'none' });
    await expect(open()).rejects.toThrow(PendingMigrationsError);
    await expect(open()).rejects.toThrow(/DATABASE_MIGRATIONS.*livekit-webhooks migrate/);
    await (await EventStore.open({ url: database.url })).close();
    await (await open()).close();
  });
});
