import pg from 'pg';
import { EventAppender } from '../../../src/event-log/append/event-appender.js';
import { lockWaits, sqlQuery } from '../../support/database.js';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { until } from '../../support/until.js';

describeOnPostgres('drain()', () => {
  const hosts = handlerHosts();

  test('runs what has fallen due while the runner asked the store how long to sleep', async () => {
    const attempts: number[] = [];
    const host = await hosts.boot([
      handlerOf('fails', (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error('not yet');
      }),
      handlerOf('left-behind'),
    ]);
    const ask = (sql: string) => sqlQuery(hosts.url, sql);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    await ask(
      "UPDATE livekit_deliveries SET state = 'running', lease_until = 0 WHERE handler = 'left-behind'",
    );

    const holder = new pg.Client({ connectionString: hosts.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE livekit_handlers IN ACCESS EXCLUSIVE MODE');
    host.app.get(EventAppender).announce([]); // there is nothing to route, and so it asks
    await until('it to ask', async () => (await lockWaits(hosts.url)) === 1);
    const passed = host.pass(1_200); // which begins with what the dead have left
    await until('drain() to wait for it', async () => {
      const left = await ask("SELECT FROM livekit_deliveries WHERE state = 'running'");
      return left.length === 0;
    });
    await holder.end();
    await passed;
    expect(attempts).toEqual([1, 2]);
  });
});
