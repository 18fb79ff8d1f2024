import { run } from '../../../src/cli/run.js';
import { EventStore } from '../../../src/database/event-store.js';
import { describeMoving, freshMove } from '../../support/moving.js';

describeMoving('livekit-webhooks', () => {
  const databases = freshMove();

  const call = async (...args: string[]) => {
    const told = { out: [] as string[], err: [] as string[] };
    const code = await run(
      args,
      {},
      { out: (line) => told.out.push(line), err: (line) => told.err.push(line) },
    );
    return { code, out: told.out.join('\n'), err: told.err.join('\n') };
  };

  /** With a password, which the server does not ask for. */
  const withPassword = (): string => {
    const url = new URL(databases.to);
    url.password = 'topsecret';
    return url.href;
  };

  test('migrates, moves, tells how it went, and gives the source back', async () => {
    const { from } = databases;
    expect(await call('migrate', '--database', from)).toMatchObject({ code: 0, err: '' });
    const store = await EventStore.open({ url: from });
    await store.write((manager) => manager.query(`INSERT INTO livekit_floors VALUES ('default', 1)`));
    await store.close();

    const moved = await call('migrate-store', '--from', from, '--to', withPassword());
    expect(moved).toMatchObject({
      code: 0,
      err: 'copied livekit_floors: 1 of 1\nverified livekit_floors: 1 of 1',
    });
    expect(moved.out).toMatch(/^livekit_floors +1$/m);
    expect(moved.out).toMatch(/^1 rows of \d+ tables are in postgres:.*, equal by counts and hashes/m);
    expect(await call('migrate-store', '--from', from, '--to', withPassword())).toMatchObject({
      code: 0,
      out: expect.stringContaining('had been moved'),
    });

    const refused = await call('migrate', '--database', from);
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('--release') });
    expect(JSON.stringify([moved, refused])).not.toContain('topsecret');
    expect(await call('migrate-store', '--from', from, '--release')).toMatchObject({ code: 0 });
    expect(await call('migrate', '--database', from)).toMatchObject({ code: 0 });
  });

  test('tells what went wrong without credentials: 1 failed, 2 wrong arguments, 3 refused', async () => {
    const { from } = databases;
    await call('migrate', '--database', from);
    const unreachable = 'postgres://me:topsecret@127.0.0.1:1/voice';
    const answers = [
      await call('migrate', '--database', unreachable),
      await call('migrate', unreachable),
      await call('migrate', '--database', 'mysql://me:topsecret@db/voice'),
      await call('migrate', '--database', 'postgres://me:topsecret%@db/voice'),
      await call('migrate-store', '--from', from, '--to', unreachable),
    ];
    expect(answers.map(({ code, out }) => ({ code, out }))).toEqual([
      { code: 1, out: '' },
      { code: 2, out: '' },
      { code: 3, out: '' },
      { code: 3, out: '' },
      { code: 1, out: '' },
    ]);
    for (const { err } of answers) expect(err).toMatch(/see that|--help|use `file:/);
    expect(JSON.stringify(answers)).not.toContain('topsecret');
  });
});
