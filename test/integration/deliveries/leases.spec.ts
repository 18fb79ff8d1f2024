import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../src/event-log/clock.js';
import type { DeliveryContext } from '../../../src/event-log/handlers/context.js';
import { onPostgres, sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { testOnPostgres, testOnSqlite } from '../../support/only-on.js';
import { until } from '../../support/until.js';

/** The shortest that a handler may have, milliseconds. */
const LEASE = 3_000;

describe('the lease of a delivery', () => {
  const hosts = handlerHosts();

  const leaseUntil = async () => {
    const [row] = await sqlQuery<{ lease_until: string | number | null }>(
      hosts.url,
      'SELECT lease_until FROM livekit_deliveries',
    );
    return Number(row?.lease_until);
  };

  test('is renewed for as long as its run takes, and nobody else runs it meanwhile', async () => {
    const runs: number[] = [];
    const handler = handlerOf(
      'long',
      async (_, { attempt, signal }) => {
        runs.push(attempt);
        await delay(2.5 * LEASE, undefined, { signal });
      },
      { lease: LEASE },
    );
    const host = await hosts.boot([handler], { clock: systemClock });
    // On PostgreSQL another process would take it, on SQLite this one's own look at the leases of the dead.
    const other = onPostgres ? await hosts.boot([handler], { clock: systemClock }) : host;
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => runs.length === 1);
    const first = await leaseUntil();
    await until('the lease to be renewed', async () => (await leaseUntil()) > first + LEASE);
    void other.deliveries.drain();
    await until('it to be done', async () =>
      (await host.deliveries.list()).deliveries.every(({ state }) => state === 'done'),
    );
    expect(runs).toEqual([1]);
    expect((await host.deliveries.list()).deliveries).toMatchObject([{ attempt: 1 }]);
  });

  test('that is lost aborts the run, whose end counts for nothing', async () => {
    const contexts: DeliveryContext[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await hosts.boot(
      [
        handlerOf(
          'overtaken',
          async (_, context) => {
            contexts.push(context);
            if (contexts.length === 1) await held;
          },
          { lease: LEASE },
        ),
      ],
      { clock: systemClock },
    );
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => contexts.length === 1);
    // As if the process had been held up for so long that another one took it.
    await sqlQuery(
      hosts.url,
      "UPDATE livekit_deliveries SET lease_token = 'of another claim', lease_until = 0",
    );
    await until('it to be told', () => contexts[0]?.signal.aborted);
    expect(contexts[0]?.signal.reason).toMatchObject({ name: 'LeaseLostError' });
    await until('it to be run again', () => contexts.length === 2);
    release();
    await host.deliveries.drain();
    expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    const [delivery] = (await host.deliveries.list()).deliveries;
    expect(await host.deliveries.get(delivery?.id ?? 0)).toMatchObject({
      state: 'done',
      attempt: 2,
      attempts: [],
    });
  });

  testOnSqlite(
    'is that of nobody else on SQLite, where a clock that is put forward makes no second run of it',
    async () => {
      const runs: string[] = [];
      const held = gate();
      const handler = handlerOf('long', ({ eventId }, { attempt }) => {
        runs.push(`${eventId} ${attempt}`);
        return eventId === 'EV_1' ? held.opened : undefined;
      });
      const host = await hosts.boot([handler]);
      await host.receive(['EV_1', 'room_started']);
      await until('it to run', () => runs.length === 1);
      host.clock.advance(3_600_000);
      const drained = host.deliveries.drain();
      await host.receive(['EV_2', 'room_started']);
      await until('another to run', () => runs.includes('EV_2 1'));
      held.open();
      await drained;
      expect(runs).toEqual(['EV_1 1', 'EV_2 1']);
    },
  );

  testOnPostgres('keeps two replicas from running one delivery, whatever they are given', async () => {
    const runs: string[] = [];
    const handler = handlerOf('shared', async ({ eventId }) => {
      runs.push(eventId);
      await delay(1);
    });
    const [one, other] = [
      await hosts.boot([handler], { clock: systemClock }),
      await hosts.boot([handler], { clock: systemClock }),
    ];
    const ids = Array.from({ length: 400 }, (_, n) => `EV_${n}`);
    await Promise.all(ids.map((id, n) => (n % 2 === 0 ? one : other).receive([id, 'room_started'])));
    await until('all to be done', async () =>
      (await one.deliveries.lag()).every(
        ({ pending, running }) => pending + running === 0 && runs.length >= 400,
      ),
    );
    expect(runs.toSorted()).toEqual(ids.toSorted());
  });
});
