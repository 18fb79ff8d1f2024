import { EventStore } from '../../../src/database/event-store.js';
import { Router } from '../../../src/event-log/route/router.js';
import { sqlQuery } from '../../support/database.js';
import {
  type HandlerHost,
  handlerHosts,
  handlerOf,
  type TestHandlerOptions,
} from '../../support/handlers.js';

describe('routing', () => {
  const hosts = handlerHosts();
  let given: string[];

  const boot = (...names: readonly string[][]): Promise<HandlerHost> =>
    hosts.boot(
      names.map((some, nth) => {
        const options: TestHandlerOptions = { kind: 'app', names: some };
        return handlerOf(`handler-${nth}`, ({ eventId }) => given.push(`${nth} ${eventId}`), options);
      }),
    );

  beforeEach(() => {
    given = [];
  });

  test('gives an event once to a handler that hears of it twice', async () => {
    const host = await boot(['*', 'tick'], ['tock']);
    await host.log.append('tick', 1, { id: 'one' });
    await host.deliveries.drain();
    expect(given).toEqual(['0 app:one']);
  });

  test.each(['\0', '\ud800', '"', "'"])(
    'is not held up by a handler of what no event can be called (%j)',
    async (name) => {
      const host = await boot([name], ['tick']);
      await host.log.append('tick', 1, { id: 'one' });
      await host.deliveries.drain();
      expect(given).toEqual(['1 app:one']);
    },
  );

  test('takes fewer events at a time the more handlers hear of them, and all of them in the end', async () => {
    const host = await boot(['tock']);
    // Of processes that are not there now: nobody runs what they are given.
    const handlers = Array.from({ length: 300 }, (_, n) => `('other-${n}', '["app:*"]', false, false, 0, 0)`);
    await sqlQuery(
      hosts.url,
      `INSERT INTO livekit_handlers (name, patterns, ordered, blocking, first_seen, last_seen) VALUES ${handlers.join()}`,
    );
    const first = await host.app.get(EventStore).write(async (manager) => {
      for (let n = 0; n < 100; n++) await host.log.appendIn(manager, 'tick', n, { id: String(n) });
      return host.app.get(Router).route(manager);
    });
    expect(first.isFull).toBe(true);
    expect(first.last).toBeLessThan(100);
    await host.deliveries.drain();
    const [made] = await sqlQuery<{ count: number }>(
      hosts.url,
      'SELECT count(*) AS count FROM livekit_deliveries',
    );
    expect(Number(made?.count)).toBe(100 * handlers.length);
  });
});
