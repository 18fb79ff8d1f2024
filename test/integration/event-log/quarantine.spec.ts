import { quarantine } from '../../../src/event-log/append/quarantine.js';
import { sqlQuery } from '../../support/database.js';
import { freshStores } from '../../support/stores.js';

describe('the quarantine', () => {
  const fresh = freshStores();

  const keep = (sha256: string, at: number, cap = { rows: 3, bytes: 1_000 }, size = 10) =>
    fresh.store.transaction((manager) =>
      quarantine(
        fresh.store.dialect,
        manager,
        { source: 'default', sha256, reason: 'invalid', raw: Buffer.alloc(size), at },
        cap,
      ),
    );
  const kept = async () =>
    (
      await sqlQuery<{ sha256: string }>(fresh.url, 'SELECT sha256 FROM livekit_quarantine ORDER BY last_at')
    ).map(({ sha256 }) => sha256);

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
    const [row] = await sqlQuery(fresh.url, 'SELECT * FROM livekit_quarantine');
    expect([row?.['first_at'], row?.['last_at'], row?.['times']].map(Number)).toEqual([1, 5, 2]);
  });
});
