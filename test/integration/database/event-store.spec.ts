import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../../../src/database/entities/session.entity.js';
import {
  DatabaseConfigurationError,
  DatabaseInUseError,
  DatabaseUnreachableError,
  TransactionLostError,
} from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import { TcpProxy } from '../../fault/tcp-proxy.js';
import { emptyDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { testOnPostgres, testOnSqlite } from '../../support/only-on.js';
import { freshStores } from '../../support/stores.js';
import { until } from '../../support/until.js';

interface SqliteConnection {
  pragma(statement: string): unknown;
}

describe('the event store', () => {
  const fresh = freshStores(emptyDatabase);

  const quarantine = (sha256: string) =>
    `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times) VALUES ('default', '${sha256}', 'test', '', 0, 0, 1)`;
  const kept = async (): Promise<string[]> =>
    (
      await sqlQuery<{ sha256: string }>(fresh.url, 'SELECT sha256 FROM livekit_quarantine ORDER BY sha256')
    ).map(({ sha256 }) => sha256);

  test('keeps all writes of a transaction or none', async () => {
    await fresh.store.transaction((manager) => manager.query(quarantine('kept')));
    const failing = fresh.store.transaction(async (manager) => {
      await manager.query(quarantine('lost'));
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await kept()).toEqual(['kept']);
  });

  testOnSqlite('commits no part of a transaction whose statements nobody waits for', async () => {
    await fresh.store.transaction(async (manager) => {
      for (const name of ['a', 'b', 'c']) void manager.query(quarantine(name));
    });
    expect(await kept()).toEqual(['a', 'b', 'c']);
  });

  test('keeps transactions apart that run at the same time', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        fresh.store.transaction(async (manager) => {
          await manager.query(quarantine(`${index}`.padStart(2, '0')));
          await new Promise((resolve) => setImmediate(resolve));
          if (index % 2 === 1) throw new Error('an odd one');
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    expect(await kept()).toEqual(['00', '02', '04', '06', '08', '10', '12', '14', '16', '18']);
  });

  test.each<[string, (manager: EntityManager) => Promise<void> | undefined]>([
    ['nobody ends', (manager) => manager.queryRunner?.startTransaction()],
    [
      'is in one that nobody ends',
      async (manager) => {
        await manager.queryRunner?.startTransaction();
        await manager.queryRunner?.startTransaction();
      },
    ],
    [
      'nobody waits for',
      (manager) =>
        new Promise((begun) => {
          const unending = async () => new Promise<void>(() => begun());
          void manager.transaction(unending);
        }),
    ],
  ])('commits a transaction when its work is done, though one within it %s', async (_, leaveOpen) => {
    const work = async (manager: EntityManager) => {
      await manager.query(quarantine('outer'));
      await leaveOpen(manager);
      await manager.query(quarantine('within'));
    };
    await fresh.store.transaction(work);
    expect(await kept()).toEqual(['outer', 'within']);
    await expect(
      fresh.store.transaction(async (manager) => {
        await manager.query(quarantine('lost'));
        await leaveOpen(manager);
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    expect(await kept()).toEqual(['outer', 'within']);
  });

  testOnSqlite(
    'tells nobody of a transaction that shares a commit with others before it is committed',
    async () => {
      let isFirstTold = false;
      let seen: unknown = null;
      const first = fresh.store.transaction((manager) => manager.query(quarantine('1')));
      const second = fresh.store.transaction(async (manager) => {
        await manager.query(quarantine('2'));
        seen = [isFirstTold, await kept()];
      });
      await Promise.all([first.then(() => (isFirstTold = true)), second]);
      expect(seen).toEqual([false, []]);
      expect(await kept()).toEqual(['1', '2']);
    },
  );

  testOnSqlite(
    'a transaction that only its commit refuses takes none with it that shares the commit',
    async () => {
      await sqlQuery(fresh.url, 'CREATE TABLE parents (id integer PRIMARY KEY)');
      await sqlQuery(
        fresh.url,
        'CREATE TABLE children (parent integer REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)',
      );
      const outcomes = await Promise.allSettled(
        [quarantine('1'), 'INSERT INTO children VALUES (7)', quarantine('2')].map((statement) =>
          fresh.store.transaction((manager) => manager.query(statement)),
        ),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await kept()).toEqual(['1', '2']);
    },
  );

  describe('a transaction that SQLite ends', () => {
    const orRollback = (manager: EntityManager) =>
      manager.query(quarantine('again').replace('INSERT', 'INSERT OR ROLLBACK'));
    const byTrigger = async (manager: EntityManager) => {
      await manager.query(
        `CREATE TRIGGER refuses BEFORE INSERT ON livekit_quarantine BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`,
      );
      await manager.query(quarantine('refused'));
    };
    const byItself = (statement: string) => (manager: EntityManager) => manager.query(statement);
    const fillDisk = async (manager: EntityManager) => {
      const connection: SqliteConnection = await manager.queryRunner?.connect();
      connection.pragma('max_page_count = 1');
      try {
        await manager.query(quarantine('large').replace("''", 'zeroblob(1000000)'));
      } finally {
        connection.pragma('max_page_count = 1000000');
      }
    };

    beforeEach(() => fresh.store.transaction((manager) => manager.query(quarantine('again'))));

    /** Three that share a commit, of which the second is ended, and goes on. */
    const three = (end: (manager: EntityManager) => Promise<unknown>) =>
      Promise.allSettled(
        ['1', '2', '3'].map((name) =>
          fresh.store.transaction(async (manager) => {
            await manager.query(quarantine(name));
            if (name === '2') await end(manager);
            await manager.query(quarantine(`${name} later`)).catch(() => undefined);
          }),
        ),
      );

    testOnSqlite.each<[string, (manager: EntityManager) => Promise<unknown>, RegExp]>([
      ['by OR ROLLBACK', orRollback, /^SQLite has rolled .* \(SQLITE_CONSTRAINT_PRIMARYKEY\)/],
      ['by a trigger', byTrigger, /^SQLite has rolled .* \(SQLITE_CONSTRAINT_TRIGGER\)/],
      ['because the disk is full', fillDisk, /^SQLite has rolled .* \(database or disk is full\)/],
      ['because it is told to roll back', byItself('ROLLBACK'), /^this transaction is committed when /],
      ['because it is told to commit', byItself(' commit'), /^this transaction is committed when /],
      ['because it is told to end', byItself('END TRANSACTION'), /^this transaction is committed when /],
    ])('%s fails though nobody told, and alone', async (_, end, why) => {
      const outcomes = await three((manager) => end(manager).catch(() => undefined));
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: { message: expect.stringMatching(why) } },
        { status: 'fulfilled' },
      ]);
      expect(await kept()).toEqual(['1', '1 later', '3', '3 later', 'again']);
    });

    testOnSqlite.each<[string, (manager: EntityManager) => Promise<unknown>, string]>([
      ['by OR ROLLBACK', orRollback, 'SQLITE_CONSTRAINT_PRIMARYKEY'],
      ['because the disk is full', fillDisk, 'SQLITE_FULL'],
    ])('%s fails of just that where it is told', async (_, end, code) => {
      const outcomes = await three(end);
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: { code } },
        { status: 'fulfilled' },
      ]);
    });

    testOnSqlite('keeps nothing of what was on its way', async () => {
      const beside = async (manager: EntityManager) =>
        void (await Promise.allSettled([orRollback(manager), manager.query(quarantine('beside'))]));
      await expect(fresh.store.transaction(beside)).rejects.toThrow(TransactionLostError);
      expect(await kept()).toEqual(['again']);
    });
  });

  describe('a statement that fails on PostgreSQL', () => {
    const failing = (manager: EntityManager) => manager.query('SELECT 1 / 0');

    testOnPostgres.each<[string, (manager: EntityManager) => Promise<unknown> | undefined]>([
      ['whose error is swallowed', (manager) => failing(manager).catch(() => undefined)],
      ['that nobody waits for', async (manager) => void failing(manager).catch(() => undefined)],
      [
        'whose error is swallowed after another was undone',
        async (manager) => {
          await manager.transaction((inner) => inner.query('SELECT nothing')).catch(() => undefined);
          await failing(manager).catch(() => undefined);
          await manager.query('SELECT 1').catch(() => undefined);
        },
      ],
    ])('%s fails its transaction, and says why', async (_, fail) => {
      const work = async (manager: EntityManager) => {
        await manager.query(quarantine('lost'));
        await fail(manager);
      };
      const failed = await fresh.store.transaction(work).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(TransactionLostError);
      expect(failed).toMatchObject({
        message: expect.stringMatching(/^PostgreSQL has rolled .* \(22012\).*`manager\.transaction\(…\)`/),
        cause: { code: '22012' },
      });
      await fresh.store.transaction((manager) => manager.query(quarantine('after')));
      expect(await kept()).toEqual(['after']);
    });

    testOnPostgres('in a transaction within it is undone alone', async () => {
      await fresh.store.transaction(async (manager) => {
        await manager.query(quarantine('outer'));
        await manager.transaction(failing).catch(() => undefined);
      });
      expect(await kept()).toEqual(['outer']);
    });
  });

  testOnSqlite('lets an append that comes meanwhile go first', async () => {
    const order: string[] = [];
    const write = (name: string) => async (manager: EntityManager) => {
      await manager.query(quarantine(name));
      order.push(name);
    };
    const others = ['1', '2', '3', '4', '5'].map((name) => fresh.store.write(write(name)));
    const append = new Promise((resolve) => setImmediate(resolve)).then(() =>
      fresh.store.write(write('append'), 'append'),
    );
    await Promise.all([...others, append]);
    expect(order.at(-1)).toBe('5');
  });

  test('goes on after a statement that failed', async () => {
    await expect(
      fresh.store.transaction((manager) => manager.query('INSERT INTO nowhere VALUES (1)')),
    ).rejects.toThrow();
    await fresh.store.transaction((manager) => manager.query(quarantine('after')));
    expect(await kept()).toEqual(['after']);
  });

  const lock = (n: number) => `SELECT pg_advisory_xact_lock(${n})`;

  testOnPostgres('begins writes anew that end in a deadlock, or in a failure to serialise', async () => {
    let begun = 0;
    let arrive: () => void;
    const both = new Promise<void>((resolve) => (arrive = resolve));
    const crosswise = (name: string, first: number, second: number) =>
      fresh.store.write(async (manager) => {
        await manager.query(lock(first));
        if (++begun === 2) arrive();
        await both;
        await manager.query(lock(second));
        await manager.query(quarantine(name));
      });
    await Promise.all([crosswise('1', 1, 2), crosswise('2', 2, 1)]);
    expect(begun).toBe(3);
    let failures = 0;
    await fresh.store.write(async (manager) => {
      await manager.query(quarantine('3'));
      if (++failures < 5) await manager.query("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$");
    });
    expect(await kept()).toEqual(['1', '2', '3']);
  });

  const pipelined = (text: string) => ({ text, parameters: [] });

  testOnPostgres(
    'commits a write of one statement though no answer comes back, and tells it when one does',
    async () => {
      const proxy = await TcpProxy.before(fresh.url);
      const away = await EventStore.open({ url: proxy.through(fresh.url) });
      try {
        await away.writePipelined(pipelined('SELECT 1'));
        await proxy.fail('mute');
        const written = away.writePipelined(pipelined(`${quarantine('1')} RETURNING sha256`));
        await until('the commit', async () => (await kept()).length > 0);
        await proxy.mend();
        expect(await written).toEqual([{ sha256: '1' }]);
      } finally {
        await away.close();
        await proxy.close();
      }
    },
  );

  testOnPostgres(
    'tells why a write of one statement was refused, keeps nothing of it, and goes on',
    async () => {
      const twice = `WITH first AS (${quarantine('1')}) ${quarantine('2').replace("'test'", 'NULL')}`;
      await expect(fresh.store.writePipelined(pipelined(twice))).rejects.toMatchObject({ code: '23502' });
      await fresh.store.writePipelined(pipelined(quarantine('3')));
      expect(await kept()).toEqual(['3']);
    },
  );

  testOnPostgres(
    'begins a write of one statement anew that PostgreSQL gives up for the sake of another',
    async () => {
      for (const made of [
        'CREATE SEQUENCE tries',
        `CREATE FUNCTION nth() RETURNS text AS $$ BEGIN
         IF nextval('tries') < 5 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
         RETURN currval('tries');
       END $$ LANGUAGE plpgsql`,
      ]) {
        await sqlQuery(fresh.url, made);
      }
      await fresh.store.writePipelined(pipelined(quarantine('?').replace("'?'", 'nth()')));
      expect(await kept()).toEqual(['5']);
    },
  );

  describe('a write of one statement', () => {
    const names = pipelined("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT name%'");
    const prepared = [{ name: expect.stringMatching(/^livekit_[0-9a-f]{16}$/) }];
    const nameOf = async (): Promise<string> =>
      (await fresh.store.writePipelined<{ name: string }>(names))[0]?.name ?? '';

    testOnPostgres('is prepared once', async () => {
      expect(await fresh.store.writePipelined(names)).toEqual(prepared);
      expect(await fresh.store.writePipelined(names)).toEqual(prepared);
    });

    testOnPostgres(
      'is prepared no more once a pooler gave it a connection that does not know it',
      async () => {
        await fresh.store.writePipelined(pipelined(`DEALLOCATE ${await nameOf()}`));
        expect(await fresh.store.writePipelined(names)).toEqual([]);
        await fresh.store.writePipelined(pipelined(quarantine('1')));
        expect(await fresh.store.writePipelined(names)).toEqual([]);
        expect(await kept()).toEqual(['1']);
      },
    );

    testOnPostgres('nor once a pooler gave it one that knows it from somebody else', async () => {
      const another = await EventStore.open({ url: fresh.url });
      try {
        await another.writePipelined(pipelined(`PREPARE ${await nameOf()} AS SELECT 1`));
        expect(await another.writePipelined(names)).toEqual([]);
      } finally {
        await another.close();
      }
    });
  });

  testOnPostgres(
    'depends on nothing that the database or its role have set, and changes nothing of a session',
    async () => {
      const name = new URL(fresh.url).pathname.slice(1);
      for (const setting of [
        "default_transaction_isolation = 'serializable'",
        'synchronous_commit = off',
        'idle_in_transaction_session_timeout = 0',
      ]) {
        await sqlQuery(fresh.url, `ALTER DATABASE ${name} SET ${setting}`);
      }
      const settings = `SELECT current_setting('transaction_isolation') AS isolation,
      current_setting('synchronous_commit') AS durable, current_setting('idle_in_transaction_session_timeout') AS idle`;
      const another = await EventStore.open({ url: fresh.url, poolSize: 2 });
      try {
        const ours = [{ isolation: 'read committed', durable: 'on', idle: '10s' }];
        expect(await another.write((manager) => manager.query(settings))).toEqual(ours);
        expect(await another.writePipelined(pipelined(settings))).toEqual(ours);
        expect(await another.transaction((manager) => manager.query(settings))).toEqual(ours);
        expect(await another.read((manager) => manager.query(settings))).toEqual([
          { isolation: 'serializable', durable: 'off', idle: '0' },
        ]);
        const held = await sqlQuery(
          fresh.url,
          `SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND a.datname = current_database()`,
        );
        expect(held).toEqual([]);
      } finally {
        await another.close();
      }
    },
  );

  testOnPostgres('leaves a server that only reads, for one that its address leads to by then', async () => {
    const write = () => fresh.store.write((manager) => manager.query(quarantine('1')));
    // What a session was told when it began, it goes by until it ends.
    await fresh.store.read((manager) => manager.query('SET default_transaction_read_only = on'));
    await expect(write()).rejects.toThrow(/read-only/);
    await write();
    expect(await kept()).toEqual(['1']);
  });

  test('readers see what is committed, and nothing else', async () => {
    let seen: unknown[] = [];
    await fresh.store.transaction(async (manager) => {
      await manager.query(quarantine('open'));
      if (!onPostgres)
        seen = await fresh.store.read((reader) => reader.query('SELECT * FROM livekit_quarantine'));
    });
    expect(seen).toEqual([]);
    expect(await fresh.store.read((reader) => reader.query('SELECT * FROM livekit_quarantine'))).toHaveLength(
      1,
    );
  });

  test.each(['transaction', 'write'] as const)('closes when a %s in progress has ended', async (kind) => {
    const begun = gate();
    const ending = gate();
    const running = fresh.store[kind](async (manager) => {
      begun.open();
      await ending.opened;
      await manager.query(quarantine('in progress'));
    });
    await begun.opened;
    const closing = fresh.store.close();
    ending.open();
    await Promise.all([running, closing]);
    expect(await kept()).toEqual(['in progress']);
  });

  test('closes though a transaction does not end', async () => {
    const begun = gate();
    const running = fresh.store.transaction(async (manager) => {
      await manager.query(quarantine('in progress'));
      begun.open();
      await new Promise(() => undefined);
    });
    running.catch(() => undefined);
    await begun.opened;
    await fresh.store.close();
    expect(await kept()).toEqual([]);
  });

  test('tells that it can commit', async () => {
    await expect(fresh.store.ping()).resolves.toBeUndefined();
  });

  test('gives entities their numbers back as numbers', async () => {
    const session = {
      source: 'default',
      roomSid: 'RM_1',
      segment: 0,
      sessionId: null,
      state: 'active' as const,
    };
    await fresh.store.transaction((manager) =>
      manager.save(SessionEntity, {
        ...session,
        beganAt: 1_795_423_728_435,
        endedAt: null,
        revision: 1,
        digest: '',
      }),
    );
    const [row] = await fresh.store.read((manager) => manager.find(SessionEntity));
    expect(row).toMatchObject({ beganAt: 1_795_423_728_435, endedAt: null, revision: 1 });
  });

  testOnSqlite('refuses writes on the connection that reads', async () => {
    await expect(fresh.store.read((manager) => manager.query(quarantine('stray')))).rejects.toThrow(
      /readonly/,
    );
  });

  testOnSqlite('has the disk hold a commit before it is one', async () => {
    const pragma = (name: string) => fresh.store.transaction((manager) => manager.query(`PRAGMA ${name}`));
    expect(await pragma('journal_mode')).toMatchObject([{ journal_mode: 'wal' }]);
    expect(await pragma('synchronous')).toMatchObject([{ synchronous: 2 }]);
  });

  testOnSqlite('refuses a file that is in use, and names PostgreSQL as the cure', async () => {
    await expect(EventStore.open({ url: fresh.url })).rejects.toThrow(DatabaseInUseError);
    await expect(EventStore.open({ url: fresh.url })).rejects.toThrow(
      /or by an application in this one that was not closed.*postgres:\/\//,
    );
  });

  testOnSqlite('refuses a file that is in use by another name', async () => {
    const file = fresh.url.slice('file:'.length);
    symlinkSync(file, `${file}.link`);
    await expect(EventStore.open({ url: `${fresh.url}.link` })).rejects.toThrow(DatabaseInUseError);
  });

  testOnSqlite('refuses a file that is in use by the link that it was made through', async () => {
    const file = `${fresh.url.slice('file:'.length)}.other`;
    symlinkSync(file, `${file}.link`);
    const store = await EventStore.open({ url: `file:${file}.link` });
    await expect(EventStore.open({ url: `file:${file}` })).rejects.toThrow(DatabaseInUseError);
    await store.close();
  });

  testOnSqlite('refuses a folder that it can not write to, and names it', async () => {
    const file = fresh.url.slice('file:'.length);
    const open = EventStore.open({ url: `file:${file}/voice.sqlite` }); // a file is no folder
    await expect(open).rejects.toThrow(DatabaseConfigurationError);
    await expect(open).rejects.toThrow(file);
  });

  testOnSqlite('refuses a folder that can not be made, at once', async () => {
    const open = EventStore.open({ url: 'file:/proc/nowhere/deep/voice.sqlite' });
    await expect(open).rejects.toThrow(DatabaseConfigurationError);
    await expect(open).rejects.toThrow('/proc/nowhere/deep');
  });

  testOnSqlite('makes the folders that lead to its file', async () => {
    const url = `${fresh.url}-folder/of/many/voice.sqlite`;
    await (await EventStore.open({ url })).close();
    expect(await sqlQuery(url, 'SELECT * FROM livekit_events')).toEqual([]);
  });

  describe('on what is no database', () => {
    let path: string;

    beforeEach(() => {
      path = `${fresh.url.slice('file:'.length)}.txt`;
    });

    testOnSqlite.each<[string, () => void, RegExp]>([
      ['a folder', () => mkdirSync(path), /voice\.sqlite\.txt is no SQLite database .*`database\.url`/],
      [
        'a file of something else',
        () => writeFileSync(path, 'no database at all, but a text that is long enough'.repeat(50)),
        /voice\.sqlite\.txt is no SQLite database .*`database\.url`/,
      ],
    ])('%s, names it and the cure', async (_, make, told) => {
      make();
      const open = EventStore.open({ url: `file:${path}` });
      await expect(open).rejects.toThrow(DatabaseConfigurationError);
      await expect(open).rejects.toThrow(told);
      await expect(open).rejects.toMatchObject({ cause: expect.anything() });
    });
  });

  test('names a server that it does not reach, without user and password', async () => {
    const open = EventStore.open({ url: 'postgres://somebody:topsecret@127.0.0.1:1/voice' });
    await expect(open).rejects.toThrow(DatabaseUnreachableError);
    await expect(open).rejects.toThrow(/127\.0\.0\.1:1\/voice \(connect ECONNREFUSED\): .*`database\.url`/);
    await expect(open).rejects.not.toThrow(/topsecret|somebody/);
    await expect(open).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  test.each([
    ['file:./elsewhere.sqlite', 'postgres://server/voice'],
    ['postgres://server/voice', 'file:./elsewhere.sqlite'],
  ])('refuses to store in %s and to listen at %s', async (url, listenUrl) => {
    await expect(EventStore.open({ url, listenUrl })).rejects.toThrow(/`database.listenUrl`/);
  });

  testOnPostgres('refuses a database that can not hold every name, and says how to make one', async () => {
    const name = `${new URL(fresh.url).pathname.slice(1)}_latin`;
    const url = Object.assign(new URL(fresh.url), { pathname: `/${name}` }).href;
    await sqlQuery(
      fresh.url,
      `CREATE DATABASE ${name} ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    try {
      await expect(EventStore.open({ url })).rejects.toThrow(
        /encoded in LATIN1.* `CREATE DATABASE … ENCODING UTF8/,
      );
    } finally {
      await sqlQuery(fresh.url, `DROP DATABASE ${name} WITH (FORCE)`);
    }
  });

  test('refuses a URL that it does not understand, without telling it', async () => {
    const open = EventStore.open({ url: 'mysql://root:topsecret@db/voice' });
    await expect(open).rejects.toThrow(DatabaseConfigurationError);
    await expect(open).rejects.not.toThrow(/topsecret/);
  });
});
