import { EventStore } from '../../../src/database/event-store.js';
import { quarantine } from '../../../src/event-log/append/quarantine.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';

describe('the quarantine', () => {
  let database: FreshDatabase;
  let store: EventStore;

  const keep = (sha256: string, at: number, cap = { rows: 3, bytes: 1_000 }, size = 10) =>
    store.transaction((manager) =>
      quarantine(
        store.dialect,
        manager,
        { source: 'default', sha256, reason: 'invalid', raw: Buffer.alloc(size), at },
        cap,
      ),
    );
  const kept = async () =>
    (
      await sqlQuery<{ sha256: string }>(
        database.url,
        'SELECT sha256 FROM livekit_quarantine ORDER BY last_at',
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

  test('makes room for new bodies by its oldest, by rows', async () => {
    for (const [at, sha256] of ['a', 'b', 'c', 'd'].entries()) await keep(sha256, at);
    expect(await kept()).toEqual(['b', 'c', 'd']);
  });

  test('makes room for new bodies by its oldest, by bytes', async () => {
    for (const [at, sha256] of ['a', 'b', 'c'].entries())
      await keep(sha256, at, { rows: 100, bytes: 900 }, 400);
    expect(await kept()).toEqual(['b', 'c']);
  });

  test('keeps a body once, and notes how often it came', async () => {
    await keep('a', 1);
    await keep('a', 5);
    const [row] = await sqlQuery(database.url, 'SELECT * FROM livekit_quarantine');
    expect([row?.['first_at'], row?.['last_at'], row?.['times']].map(Number)).toEqual([1, 5, 2]);
  });
});
