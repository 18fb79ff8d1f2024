import { sqlQuery } from '../../support/database.js';
import { testOnPostgres } from '../../support/only-on.js';
import { sessionHosts } from '../../support/session-host.js';

describe('the keys of sessions', () => {
  const hosts = sessionHosts();

  testOnPostgres('are taken by new ones only, not by every change of one', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    await host.pass(60_000);
    expect((await host.session()).revision).toBeGreaterThan(1);
    expect(await sqlQuery(hosts.url, 'SELECT last_value FROM livekit_sessions_pk_seq')).toEqual([
      { last_value: '1' },
    ]);
  });
});
