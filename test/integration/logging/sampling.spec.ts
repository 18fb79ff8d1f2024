import type { LogOptions } from '../../../src/index.js';
import { logSettings } from '../../../src/logging/log-options.js';
import { bootHost, type Host } from '../../support/host.js';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { webhook } from '../../support/webhook.js';

const ROOMS = Array.from({ length: 20 }, (_, n) => `call-${n}`);

type Line = Record<string, unknown>;

describe('the lines of webhooks', () => {
  let host: Host;

  const boot = async (log: LogOptions) => {
    host = await bootHost('express', { webhooks: { log } });
  };
  const deliverTo = (room: string) => host.deliver(webhook({ room: { sid: `RM_${room}`, name: room } }));

  afterEach(() => host.close());

  test('are of a share of the rooms, each whole; and of whatever is refused', async () => {
    await boot({ sample: 0.5 });
    for (const room of [...ROOMS, ...ROOMS]) await deliverTo(room);
    const sampled = ROOMS.filter((room) => logSettings({ sample: 0.5 }).samples(room));
    expect(sampled.length).toBeGreaterThan(3);
    expect(sampled.length).toBeLessThan(17);
    expect(host.receipts().map(({ room }) => room)).toEqual([...sampled, ...sampled]);
    for (const room of ROOMS) {
      await host.deliver(webhook({ room: { sid: 'RM_1', name: room } }), { token: { secret: 'another' } });
    }
    expect(host.receipts().filter(({ outcome }) => outcome === 'unauthorized')).toHaveLength(ROOMS.length);
  });

  test('are at least as loud as is wanted', async () => {
    await boot({ level: 'warn' });
    await deliverTo('call');
    await host.deliver('no event');
    expect(host.receipts().map(({ outcome }) => outcome)).toEqual(['invalid']);
  });

  test.each<[LogOptions, RegExp]>([
    [{ level: 'loud' as never }, /option `log.level` must be one of/],
    [{ sample: 1.5 }, /option `log.sample` must be a share, from 0 to 1/],
  ])('are not by %j, which ends the start', async (log, message) => {
    await expect(boot(log)).rejects.toThrow(message);
    await boot({});
  });
});

describe('the lines of deliveries', () => {
  const hosts = handlerHosts();

  const boot = (log?: LogOptions) =>
    hosts.boot(
      [
        handlerOf('good'),
        handlerOf('batched', () => undefined, { batch: 10 }),
        handlerOf(
          'bad',
          () => {
            throw new Error('no');
          },
          { maxAttempts: 1 },
        ),
      ],
      { options: log === undefined ? {} : { log } },
    );
  const linesOf = async (log?: LogOptions) => {
    const host = await boot(log);
    await host.receive(
      ...ROOMS.map((room): [string, string, string] => [`EV_${room}`, 'room_started', room]),
    );
    await host.deliveries.drain();
    return host.logger.of('DeliveryRunner') as Line[];
  };
  const count = (lines: Line[], handler: string) =>
    lines.filter((line) => line['handler'] === handler).length;

  test('tell of what failed', async () => {
    const few = await linesOf();
    expect(few.map(({ outcome }) => outcome)).toEqual(ROOMS.map(() => 'dead'));
  });

  test('tell at `debug` of every attempt', async () => {
    const all = await linesOf({ level: 'debug' });
    expect(['good', 'batched', 'bad'].map((name) => count(all, name))).toEqual([20, 20, 20]);
  });

  test('tell of a share of the rooms what went well, the same in each handler, and of every failure', async () => {
    const some = await linesOf({ level: 'debug', sample: 0.5 });
    const sampled = ROOMS.filter((room) => logSettings({ sample: 0.5 }).samples(`name-of-${room}`));
    expect(['good', 'batched', 'bad'].map((name) => count(some, name))).toEqual([
      sampled.length,
      sampled.length,
      20,
    ]);
  });
});
