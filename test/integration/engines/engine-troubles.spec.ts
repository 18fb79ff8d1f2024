import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { openEngine } from '../../../src/event-log/engines/open-engine.js';
import { storeId } from '../../../src/event-log/engines/store-id.js';
import { engineToken } from '../../../src/event-log/engines/delivery-engine.js';
import { Claims } from '../../../src/event-log/claim/claims.js';
import { StoreClock } from '../../../src/event-log/clock.js';
import { Dispatcher } from '../../../src/event-log/engines/dispatcher.js';
import { EventStore } from '../../../src/database/event-store.js';
import { HandlerRegistry } from '../../../src/event-log/handlers/handler-registry.js';
import { RetryAfter } from '../../../src/event-log/handlers/outcomes.js';
import { TcpProxy } from '../../fault/tcp-proxy.js';
import { carriedDeliveries } from '../../support/carried-deliveries.js';
import { sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { type HandlerHost, handlerOf } from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { ENGINES } from '../../support/private-server.js';
import { until } from '../../support/until.js';

/** An advisory lock of PostgreSQL that nobody but a test takes. */
const HELD_UP = 4711;

// The clock stands still: what an engine has lost, or has been told to forget, is never given to it again.
describeOnPostgres.each(ENGINES)(
  'deliveries that are carried by %s, when they can not be run as they come,',
  (type) => {
    const carried = carriedDeliveries(type);
    const { hosts, given, figures, take, givenTo } = carried;

    const bootAt = (url: string, ...providers: ReturnType<typeof handlerOf>[]): Promise<HandlerHost> =>
      hosts.boot(providers, { options: { deliveries: { engine: { type, url }, drainTimeout: 20_000 } } });

    const boot = (...providers: ReturnType<typeof handlerOf>[]) => bootAt(carried.server.url, ...providers);

    const events = (count: number, room: (n: number) => string = () => 'RM_1'): [string, string, string][] =>
      Array.from({ length: count }, (_, n) => [`EV_${n + 1}`, 'room_started', room(n)]);

    test('do not wait for a room that fills a claim by itself', async () => {
      const held = gate();
      const host = await boot(
        handlerOf(
          'rooms',
          async (event) => {
            if (event.roomSid === 'RM_full') await held.opened;
            take('rooms')(event);
          },
          { ordering: 'room' },
        ),
      );
      await host.deliveries.pause('rooms');
      await host.receive(...events(100, () => 'RM_full'));
      await host.receive(
        ...['1', '2', '3', '4', '5'].map(
          (n) => [`EV_other_${n}`, 'room_started', `RM_${n}`] as [string, string, string],
        ),
      );
      await until('all to be routed', async () => (await host.deliveries.lag())[0]?.pending === 105);
      await host.deliveries.resume('rooms');
      await until('those of other rooms', () => given.length === 5, 8_000).catch(() => undefined);
      held.open();
      expect(given).toHaveLength(5);
      await until('all', () => given.length === 105);
    });

    test('are handed out again when their handler was paused meanwhile', async () => {
      const held = gate();
      const host = await boot(
        handlerOf('pauses', (event) => held.opened.then(() => take('pauses')(event)), { concurrency: 1 }),
      );
      await host.receive(...events(12));
      await until('all to be carried', () => figures(host).carried >= 11);
      await until('some to be handed out', async () => ((await host.deliveries.lag())[0]?.running ?? 0) > 1);
      await host.deliveries.pause('pauses');
      held.open();
      await until('what runs to end', async () => (await host.deliveries.lag())[0]?.running === 0);
      await host.deliveries.resume('pauses');
      await until('all', () => given.length === 12);
    });

    test('are not all kept by a process that is busy', async () => {
      const held = gate();
      const busy = await boot(
        handlerOf('shared', (event) => held.opened.then(() => take('busy')(event)), { concurrency: 1 }),
      );
      await busy.receive(...events(40));
      await until('all to be carried', () => figures(busy).carried >= 39);
      await until('one to run', async () => ((await busy.deliveries.lag())[0]?.running ?? 0) > 0);
      await boot(handlerOf('shared', take('free'), { concurrency: 1 }));
      await until('the others', () => givenTo('free').length >= 30).finally(() => held.open());
      await until('all', () => given.length === 40);
    });

    test('are let go of as soon as their process begins to stop', async () => {
      const held = gate();
      const first = await boot(
        handlerOf('shared', (event) => held.opened.then(() => take('first')(event)), { concurrency: 3 }),
      );
      await first.receive(...events(200));
      await until('all to be carried', () => figures(first).carried >= 190);
      await until('some to run', async () => ((await first.deliveries.lag())[0]?.running ?? 0) > 0);
      const second = await boot(handlerOf('shared', take('second')));
      const stopped = hosts.stop(first);
      await until('the others', () => givenTo('second').length >= 197).finally(() => held.open());
      await stopped;
      await until('all', () => given.length === 200);
      expect(new Set(given.map((line) => line.split(' ')[1])).size).toBe(200);
      expect(first.logger.text()).not.toContain('takes no deliveries');
      expect(second.logger.text()).not.toContain('takes no deliveries');
    });

    test('wait for a server that is slow to greet who starts', async () => {
      carried.server.hang();
      const host = await boot(handlerOf('greeted', take('greeted')));
      await host.receive(...events(5));
      await until('all to be routed', async () => (await host.deliveries.lag())[0]?.pending === 5);
      carried.server.goOn();
      await until('all', () => given.length === 5);
      expect(host.logger.text()).not.toContain('takes no deliveries');
    });

    test('are brought again at once when their handler asks for it at once', async () => {
      const host = await boot(
        handlerOf('again', (event, { attempt }) => {
          if (attempt <= 3) throw new RetryAfter(0);
          take('again')(event);
        }),
      );
      await host.receive(...events(60));
      await until('all', () => given.length === 60);
    });

    test('are not held up by what others put into the queue', async () => {
      const host = await boot(handlerOf('sturdy', take('sturdy')));
      await putIntoQueue(type, carried.server.url, await storeId(host.app.get(EventStore)), 'sturdy', [
        'nonsense',
        '1e99',
        '12.5',
      ]);
      await host.receive(...events(5));
      await until('all', () => given.length === 5);
      expect(host.logger.text()).not.toContain('the store failed');
    });

    test('are brought to handlers of the longest names', async () => {
      const name = '.:'.repeat(100);
      const host = await boot(handlerOf(name, take('long')));
      await host.receive(...events(5));
      await until('all', () => given.length === 5);
    });

    test('are brought to a handler whose concurrency has changed', async () => {
      await hosts.stop(await boot(handlerOf('changes', take('before'), { concurrency: 1 })));
      const host = await boot(handlerOf('changes', take('after'), { concurrency: 5 }));
      await host.receive(...events(5));
      await until('all', () => given.length === 5);
    });

    (type === 'jetstream' ? test : test.skip)(
      'are brought by a stream that was set up otherwise',
      async () => {
        const host = await boot(handlerOf('set-up', take('set-up')));
        const stream = `livekit-deliveries-${await storeId(host.app.get(EventStore))}`;
        await host.receive(['EV_1', 'room_started', 'RM_1']);
        await until('the first', () => given.length === 1);
        await hosts.stop(host);
        const connection = await connect({ servers: carried.server.url });
        await (await jetstreamManager(connection)).streams.update(stream, { description: 'of our backend' });
        await connection.close();
        const next = await boot(handlerOf('set-up', take('set-up')));
        await next.receive(['EV_2', 'room_started', 'RM_1']);
        await until('the second', () => given.length === 2);
      },
    );

    (type === 'jetstream' ? test : test.skip)(
      'are told of as waiting where a handler is refused its own',
      async () => {
        const first = await boot(handlerOf('refused', take('refused')));
        const stream = `livekit-deliveries-${await storeId(first.app.get(EventStore))}`;
        await hosts.stop(first);
        const connection = await connect({ servers: carried.server.url });
        const { consumers } = await jetstreamManager(connection);
        await consumers.delete(stream, 'refused');
        await consumers.add(stream, {
          durable_name: 'refused',
          deliver_subject: 'elsewhere',
          ack_policy: AckPolicy.Explicit,
        });
        const host = await boot(handlerOf('refused', take('refused')));
        const told = () =>
          host.app
            .get(Dispatcher)
            .check()
            .then(
              () => '',
              (error: Error) => error.message,
            );
        await until('it to be told', async () => /^`refused` is brought nothing: ./.test(await told()));
        await host.receive(['EV_1', 'room_started', 'RM_1']);
        await consumers.delete(stream, 'refused');
        await connection.close();
        await until('the first', () => given.length === 1);
        await until('it to be told no more', async () => (await told()) === '');
      },
    );

    test('are brought by a server that wants a password', async () => {
      await carried.server.kill();
      await carried.server.start({ user: 'default', password: 'pass/word' });
      const host = await bootAt(
        carried.server.urlFor('default', 'pass/word'),
        handlerOf('knows', take('knows')),
      );
      await host.receive(...events(5));
      await until('all', () => given.length === 5);
      await carried.server.kill();
      await carried.server.start({ user: 'default', password: 'another' });
      await host.receive(['EV_6', 'room_started', 'RM_1']);
      await until('trouble', () => !figures(host).isUp);
      await expect(host.app.get(Dispatcher).check()).rejects.toThrow();
      const told = await host.app
        .get(Dispatcher)
        .check()
        .catch((error: Error) => error.message);
      expect(host.logger.text() + String(told)).not.toContain('pass/word');
      await carried.server.kill();
      await carried.server.start({ user: 'default', password: 'pass/word' });
      await until('the last', () => given.length === 6, 20_000);
    });

    test('let their process stop while the server is gone, and run in the next', async () => {
      const host = await boot(handlerOf('later', take('later')));
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await until('the first', () => given.length === 1);
      await carried.server.kill();
      await host.receive(['EV_2', 'room_started', 'RM_1']);
      await until('trouble', () => !figures(host).isUp);
      await hosts.stop(host);
      expect(host.logger.text()).not.toContain('did not stop as it should');
      await carried.server.start();
      await boot(handlerOf('later', take('later')));
      await until('the second', () => given.length === 2);
    });

    test('are not overtaken in their room while a process that stops gives them back', async () => {
      const host = await hosts.boot([handlerOf('rooms', take('rooms'), { ordering: 'room' })]);
      await host.deliveries.pause('rooms');
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await host.receive(['EV_2', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      const { deliveries } = await host.deliveries.list();
      const first = deliveries.at(-1)?.id ?? 0;
      for (const statement of [
        `UPDATE livekit_deliveries SET carried_until = 1 WHERE id = ${first}`,
        `CREATE FUNCTION hold_up() RETURNS trigger AS $$ BEGIN
         IF NEW.carried_until IS NULL AND NEW.state = 'pending' THEN PERFORM pg_advisory_xact_lock(${HELD_UP}); END IF;
         RETURN NEW;
       END $$ LANGUAGE plpgsql`,
        'CREATE TRIGGER held_up BEFORE UPDATE OF carried_until ON livekit_deliveries FOR EACH ROW EXECUTE FUNCTION hold_up()',
      ]) {
        await sqlQuery(hosts.url, statement);
      }
      const holding = new pg.Client({ connectionString: hosts.url });
      await holding.connect();
      await holding.query(`SELECT pg_advisory_lock(${HELD_UP})`);

      const ending: Promise<void>[] = [];
      try {
        const store = host.app.get(EventStore);
        const services = [store, host.app.get(StoreClock), host.app.get(Claims)] as const;
        const stopping = new Dispatcher(...services, { type, url: carried.server.url });
        let handedOut = 0;
        await stopping.start([...host.app.get(HandlerRegistry).handlers.values()], () => (handedOut += 1));
        const engine = await openEngine({ type, url: carried.server.url }, await storeId(store));
        engine.start([], async () => undefined);
        await until('the first to be carried', () =>
          engine.carry('rooms', [first]).then(
            () => true,
            () => false,
          ),
        );
        await engine.stop();
        await until('the first to be handed out', () => handedOut > 0);
        ending.push(stopping.stop());
        const waiting = async () =>
          (
            await sqlQuery(
              hosts.url,
              `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
            )
          ).length;
        await until('it to be given back', async () => (await waiting()) > 0);
        ending.push(host.deliveries.resume('rooms'));
        await until(
          'somebody to wait for that, or not',
          async () => (await waiting()) > 1 || given.length > 0,
        );
      } finally {
        await holding.end(); // and lets them go on
      }
      await Promise.all(ending);
      await host.deliveries.drain();
      expect(given).toEqual(['rooms EV_1', 'rooms EV_2']);
    });

    test('are brought on new connections where the old ones lead nowhere any more', async () => {
      const proxy = await TcpProxy.before(carried.server.url);
      const host = await bootAt(proxy.through(carried.server.url), handlerOf('behind', take('behind')));
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await until('the first', () => given.length === 1);
      proxy.forget();
      await host.receive(['EV_2', 'room_started', 'RM_1']);
      await until('the second', () => given.length === 2, 45_000);
      await until('all to be well', () => figures(host).isUp);
      await hosts.stop(host);
      await proxy.close();
    });

    test('wait for a server that hangs, and nobody else does', async () => {
      const host = await boot(handlerOf('waits', take('waits')));
      await host.receive(...events(5));
      await until('the first', () => given.length === 5);
      carried.server.hang();
      await host.receive(['EV_6', 'room_started', 'RM_1']);
      await until('trouble', () => !figures(host).isUp);
      await expect(host.app.get(Dispatcher).check()).rejects.toThrow('did not answer');
      carried.server.goOn();
      await until('the last', () => given.length === 6);
      carried.server.hang();
      await hosts.stop(host);
      const unheard = await boot(handlerOf('waits', take('waits')));
      await unheard.receive(['EV_7', 'room_started', 'RM_1']);
      await until('trouble', () => !figures(unheard).isUp);
      await hosts.stop(unheard);
    });
  },
);

async function putIntoQueue(
  type: (typeof ENGINES)[number],
  url: string,
  store: string,
  handler: string,
  ids: string[],
): Promise<void> {
  if (type === 'bullmq') {
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    const queue = new Queue(engineToken(handler), { connection, prefix: `livekit-deliveries-${store}` });
    for (const id of ids) await queue.add('delivery', { id });
    await queue.close();
    connection.disconnect();
    return;
  }
  const connection = await connect({ servers: url });
  await until('the stream', () =>
    Promise.all(
      ids.map((id) =>
        jetstream(connection).publish(
          `livekit-deliveries.${store}.${engineToken(handler)}.${id.replace('.', '_')}`,
        ),
      ),
    ).catch(() => undefined),
  );
  await connection.close();
}
