import { DataSource } from 'typeorm';
import { createDataSource } from '../../../src/database/data-source.js';
import { PendingMigrationsError } from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import { type FreshDatabase, freshDatabase, onPostgres } from '../../support/database.js';

describe('migrations', () => {
  let database: FreshDatabase;
  const opened: DataSource[] = [];

  const connect = async (): Promise<DataSource> => {
    const dataSource = await createDataSource({ url: database.url }).initialize();
    opened.push(dataSource);
    return dataSource;
  };

  beforeEach(async () => {
    database = await freshDatabase();
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

  test('run once when several processes start at once', async () => {
    const starts = onPostgres ? 10 : 1; // SQLite has one process
    const stores = await Promise.all(
      Array.from({ length: starts }, () => EventStore.open({ url: database.url, poolSize: 2 })),
    );
    for (const store of stores) await store.close();
    const dataSource = await connect();
    expect(await dataSource.showMigrations()).toBe(false);
  });

  test('are only checked when asked so, and a schema that is behind is refused with the cure', async () => {
    const open = () => EventStore.open({ url: database.url, migrations: 'check' });
    await expect(open()).rejects.toThrow(PendingMigrationsError);
    await expect(open()).rejects.toThrow(/migration:run/);
    await (await EventStore.open({ url: database.url })).close();
    await (await open()).close();
  });
});
