import pg from 'pg';
import { createDataSource } from '../../../src/database/data-source.js';
import { DatabaseInUseError } from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import {
  HalfMovedStoreError,
  MovedStoreDiffersError,
  MoveRefusedError,
  StoreMovedError,
} from '../../../src/database/moving/errors.js';
import { type MoveProgress, moveStore, releaseStore } from '../../../src/database/moving/move-store.js';
import { sqlQuery } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { openEventLog } from '../../support/event-log.js';
import { describeMoving, everyRow, freshMove } from '../../support/moving.js';
import { countOf } from '../../support/rows.js';
import { bootSessions } from '../../support/session-host.js';
import { until } from '../../support/until.js';

const DAY = 86_400_000;

describeMoving('moving a store from SQLite to PostgreSQL', () => {
  const databases = freshMove();

  const open = (url: string) => EventStore.open({ url });
  const canBeOpened = async (url: string): Promise<void> => (await open(url)).close();
  const move = (onProgress?: (progress: MoveProgress) => void) =>
    moveStore({ from: databases.from, to: databases.to, ...(onProgress && { onProgress }) });

  const storeWithEvents = async (count = 3): Promise<void> => {
    const log = await openEventLog(databases.from);
    const ids = Array.from({ length: count }, (_, nth) => `EV_${nth + 1}`);
    await Promise.all(ids.map((id) => log.receive(newEvent({ id }))));
    await log.onApplicationShutdown();
  };

  const interruptedMove = async (events?: number): Promise<void> => {
    await storeWithEvents(events);
    const interrupt = () => {
      throw new Error('interrupted');
    };
    await expect(move(interrupt)).rejects.toThrow('interrupted');
  };

  test('takes every row of every table along, and the sessions are the same', async () => {
    const { from, to } = databases;
    const before = await bootSessions(from);
    await before.service.expect('order-1', { metadata: { crème: 'brûlée "2"' } });
    for (const call of ['unusual-names', 'recorded-call', 'sip-caller']) await before.play(call);
    const sessions = await before.sessions();
    const { clock } = before.tester;
    await before.app.close();
    for (const statement of [
      `INSERT INTO livekit_quarantine VALUES ('default', 'ab', 'invalid', x'00ff', 1, 2, 3)`,
      `INSERT INTO livekit_attempts VALUES (1, 1, 1795423728000, 'Error: 日本')`,
      `INSERT INTO livekit_floors VALUES ('default', 1795423728000)`,
      `INSERT INTO livekit_duties VALUES ('reconciliation', 'somebody', 1)`,
      "INSERT INTO livekit_store VALUES (1, '0a1b2c3d')",
      'CREATE TABLE bills (id integer PRIMARY KEY)',
    ]) {
      await sqlQuery(from, statement);
    }

    const { tables, leftBehind } = await move();

    const rows = await everyRow(from);
    // A table that is new in the schema needs rows in this store.
    expect(Object.keys(rows).filter((table) => rows[table]?.length === 0)).toEqual([]);
    expect(await everyRow(to)).toEqual(rows);
    expect(tables).toEqual(Object.entries(rows).map(([name, { length }]) => ({ name, rows: length })));
    expect(leftBehind).toEqual(['bills']);

    const after = await bootSessions(to, { clock });
    try {
      expect(await after.sessions()).toEqual(sessions);
      await after.play('two-party-call'); // its rows get numbers that none has had
      expect(await after.sessions()).toHaveLength(sessions.length + 1);
    } finally {
      await after.app.close();
    }
  });

  test('numbers go on where they were, though what had the last one is gone', async () => {
    await storeWithEvents();
    await sqlQuery(databases.from, 'DELETE FROM livekit_events WHERE seq = 3');
    await move();
    const log = await openEventLog(databases.to);
    await log.receive(newEvent({ id: 'EV_4' }));
    await log.onApplicationShutdown();
    expect(await countOf(databases.to, 'livekit_events', 'seq = 4')).toBe(1);
  });

  test('goes on where it was interrupted; meanwhile no application starts on either', async () => {
    const { from, to } = databases;
    await interruptedMove();
    await expect(open(to)).rejects.toThrow(HalfMovedStoreError);
    await expect(open(to)).rejects.toThrow(/migrate-store` again/);
    await expect(open(from)).rejects.toThrow(StoreMovedError);
    await expect(open(from)).rejects.toThrow(/is being moved to postgres:\/\/[^@]*: run/);

    const copied: string[] = [];
    await move(({ step, table }) => step === 'copied' && copied.push(table));
    expect(copied).toEqual(['livekit_events']); // the bodies were there
    expect(await everyRow(to)).toEqual(await everyRow(from));
    await expect(open(from)).rejects.toThrow(/has been moved to postgres:\/\/[^@]*: use that one/);
    await canBeOpened(to);
  });

  test('goes on where it was interrupted in the middle of a table', async () => {
    await interruptedMove(2_001); // one more than is copied at once
    const copied: [string, number][] = [];
    await move(({ step, table, rows }) => step === 'copied' && copied.push([table, rows]));
    expect(copied[0]).toEqual(['livekit_bodies', 2_001]);
    expect(await everyRow(databases.to)).toEqual(await everyRow(databases.from));
  });

  test.each([
    ['writes', "INSERT INTO livekit_bodies (event_seq, raw) VALUES (2, '')"],
    ['looks through', 'LOCK TABLE livekit_bodies IN SHARE UPDATE EXCLUSIVE MODE'],
  ])('waits as long as somebody holds what it %s, whatever the database has set', async (_, holds) => {
    const { from, to } = databases;
    await storeWithEvents();
    await sqlQuery(to, `ALTER DATABASE ${new URL(to).pathname.slice(1)} SET statement_timeout = '5s'`);
    const holder = new pg.Client({ connectionString: to });
    await holder.connect();
    try {
      await canBeOpened(to); // the tables are made
      await holder.query(`BEGIN; ${holds}`);
      const moved = move();
      const waiting = `SELECT pid FROM pg_locks JOIN pg_stat_activity a USING (pid)
        WHERE NOT granted AND a.datname = current_database() AND now() - a.query_start > interval '6 seconds'`;
      const waits = until('the move to wait', async () => (await sqlQuery(to, waiting)).length > 0);
      await Promise.race([waits, moved]); // it tells why, if it fails
      await holder.query('ROLLBACK');
      await moved;
    } finally {
      await holder.end();
    }
    expect(await everyRow(to)).toEqual(await everyRow(from));
  });

  test('is done when it is called again after all was done but the mark on the source', async () => {
    await storeWithEvents();
    await move();
    await sqlQuery(databases.from, 'UPDATE livekit_moved_out SET finished = 0');
    expect(await move()).toMatchObject({ tables: [] });
    await expect(open(databases.from)).rejects.toThrow(/has been moved/);
  });

  test('a store of an earlier version is brought up to this one', async () => {
    await storeWithEvents();
    const source = await createDataSource({ url: databases.from }).initialize();
    await source.undoLastMigration();
    await source.destroy();
    await move();
    expect(await everyRow(databases.to)).toEqual(await everyRow(databases.from));
  });

  test('a source that is taken off its mark can be used again, and what was copied of it can not', async () => {
    await interruptedMove();
    releaseStore(databases.from);
    await canBeOpened(databases.from);
    await expect(move()).rejects.toThrow(/another store is being moved into the target/);
  });

  describe('refuses', () => {
    const refused = async (why: RegExp, error: new (...args: never[]) => Error = MoveRefusedError) => {
      const moving = move();
      await expect(moving).rejects.toThrow(error);
      await expect(moving).rejects.toThrow(why);
    };

    test('a source that an application uses', async () => {
      const store = await open(databases.from);
      await refused(/in use by another process.*Stop that one/, DatabaseInUseError);
      await store.close();
    });

    test('a source that is not there, and makes none', async () => {
      await refused(/there is no file/);
      await refused(/there is no file/);
    });

    test('a file that is no store', async () => {
      await sqlQuery(databases.from, 'CREATE TABLE bills (id integer)');
      await refused(/holds no events/);
    });

    test('a target that is in use, and leaves the source as it is', async () => {
      await storeWithEvents();
      await sqlQuery(databases.to, `INSERT INTO livekit_floors VALUES ('default', 1)`);
      await refused(/not empty \(livekit_floors\).*give an empty database/);
      await canBeOpened(databases.from);
    });

    test('a target that holds a moved store', async () => {
      await storeWithEvents();
      await move();
      releaseStore(databases.from);
      await refused(/not empty/);
    });

    test('a source that has been moved elsewhere', async () => {
      await storeWithEvents();
      await move();
      await sqlQuery(databases.to, "UPDATE livekit_moved_in SET move_id = 'of another'");
      await refused(/has been moved to/, StoreMovedError);
    });

    test('a store that a later version has written', async () => {
      await storeWithEvents();
      await sqlQuery(databases.from, 'ALTER TABLE livekit_rooms ADD COLUMN mood text');
      await refused(/livekit_rooms is not the same table.*later version/);
      await canBeOpened(databases.from);
    });

    test.each([
      ['a row too many', `INSERT INTO livekit_floors VALUES ('default', ${DAY})`, 'livekit_floors'],
      [
        'a row that was changed',
        `UPDATE livekit_bodies SET raw = 'other' WHERE event_seq = 2`,
        'livekit_bodies',
      ],
      ['a row that is missing', 'DELETE FROM livekit_bodies WHERE event_seq = 2', 'livekit_bodies'],
    ])('to call it done with %s', async (_, statement, table) => {
      await interruptedMove();
      await sqlQuery(databases.to, statement);
      await refused(new RegExp(`${table} differs`), MovedStoreDiffersError);
      await expect(open(databases.to)).rejects.toThrow(HalfMovedStoreError);
    });
  });
});
