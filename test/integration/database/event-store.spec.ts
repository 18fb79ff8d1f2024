import { SessionEntity } from '../../../src/database/entities/session.entity.js';
import { DatabaseConfigurationError, DatabaseInUseError } from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';

describe('the event store', () => {
  let database: FreshDatabase;
  let store: EventStore;

  const quarantine = (sha256: string) =>
    `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times) VALUES ('default', '${sha256}', 'test', '', 0, 0, 1)`;
  const kept = async (): Promise<string[]> =>
    (
      await sqlQuery<{ sha256: string }>(
        database.url,
        'SELECT sha256 FROM livekit_quarantine ORDER BY sha256',
      )
    ).map(({ sha256 }) => sha256);

  beforeEach(async () => {
    database = await freshDatabase();
    store = await EventStore.open({ url: database.url });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  test('keeps all writes of a transaction or none', async () => {
    await store.transaction((manager) => manager.query(quarantine('kept')));
    const failing = store.transaction(async (manager) => {
      await manager.query(quarantine('lost'));
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await kept()).toEqual(['kept']);
  });

  test('keeps transactions apart that run at the same time', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        store.transaction(async (manager) => {
          await manager.query(quarantine(`${index}`.padStart(2, '0')));
          await new Promise((resolve) => setImmediate(resolve));
          if (index % 2 === 1) throw new Error('an odd one');
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    expect(await kept()).toEqual(['00', '02', '04', '06', '08', '10', '12', '14', '16', '18']);
  });

  test('goes on after a statement that failed', async () => {
    await expect(
      store.transaction((manager) => manager.query('INSERT INTO nowhere VALUES (1)')),
    ).rejects.toThrow();
    await store.transaction((manager) => manager.query(quarantine('after')));
    expect(await kept()).toEqual(['after']);
  });

  test('readers see what is committed, and nothing else', async () => {
    let seen: unknown[] = [];
    await store.transaction(async (manager) => {
      await manager.query(quarantine('open'));
      if (!onPostgres) seen = await store.read((reader) => reader.query('SELECT * FROM livekit_quarantine'));
    });
    expect(seen).toEqual([]);
    expect(await store.read((reader) => reader.query('SELECT * FROM livekit_quarantine'))).toHaveLength(1);
  });

  test('tells that it can commit', async () => {
    await expect(store.ping()).resolves.toBeUndefined();
  });

  test('gives entities their numbers back as numbers', async () => {
    const session = {
      source: 'default',
      roomSid: 'RM_1',
      segment: 0,
      sessionId: null,
      state: 'active' as const,
    };
    await store.transaction((manager) =>
      manager.save(SessionEntity, {
        ...session,
        beganAt: 1_795_423_728_435,
        endedAt: null,
        revision: 1,
        digest: '',
      }),
    );
    const [row] = await store.read((manager) => manager.find(SessionEntity));
    expect(row).toMatchObject({ beganAt: 1_795_423_728_435, endedAt: null, revision: 1 });
  });

  const onSqlite = onPostgres ? test.skip : test;

  onSqlite('refuses writes on the connection that reads', async () => {
    await expect(store.read((manager) => manager.query(quarantine('stray')))).rejects.toThrow(/readonly/);
  });

  onSqlite('has the disk hold a commit before it is one', async () => {
    const pragma = (name: string) => store.transaction((manager) => manager.query(`PRAGMA ${name}`));
    expect(await pragma('journal_mode')).toMatchObject([{ journal_mode: 'wal' }]);
    expect(await pragma('synchronous')).toMatchObject([{ synchronous: 2 }]);
  });

  onSqlite('refuses a file that is in use, and names PostgreSQL as the cure', async () => {
    await expect(EventStore.open({ url: database.url })).rejects.toThrow(DatabaseInUseError);
    await expect(EventStore.open({ url: database.url })).rejects.toThrow(/postgres:\/\//);
  });

  test('refuses a URL that it does not understand, without telling it', async () => {
    const open = EventStore.open({ url: 'mysql://root:topsecret@db/voice' });
    await expect(open).rejects.toThrow(DatabaseConfigurationError);
    await expect(open).rejects.not.toThrow(/topsecret/);
  });
});
