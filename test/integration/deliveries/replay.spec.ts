import { EventStore } from '../../../src/database/event-store.js';
import { StoreClock } from '../../../src/event-log/clock.js';
import { DiscardDelivery } from '../../../src/event-log/handlers/outcomes.js';
import { DeliveryRequestError, DeliveryStateError } from '../../../src/event-log/deliveries/errors.js';
import type { DeliveryState } from '../../../src/event-log/deliveries/delivery.js';
import { endedOne } from '../../../src/event-log/deliveries/ended-deliveries.js';
import { Replays } from '../../../src/event-log/deliveries/replay.js';
import { sqlQuery } from '../../support/database.js';
import { handlerHosts, handlerOf, type HandlerHost } from '../../support/handlers.js';
import { countOf } from '../../support/rows.js';

/** More than are replayed in one transaction. */
const MANY = 450;

describe('a delivery that is at its end', () => {
  const hosts = handlerHosts();
  let host: HandlerHost;
  let runs: string[];
  let isFixed: boolean;

  const take = (event: { eventId: string }, context: { replay: number; idempotencyKey: string }) => {
    if (event.eventId.startsWith('EV_none')) throw new DiscardDelivery('nothing to do');
    if (event.eventId.startsWith('EV_bad') && !isFixed) throw new Error('bad');
    runs.push(`${context.idempotencyKey} ${context.replay}`);
  };
  const boot = async () => {
    host = await hosts.boot([
      handlerOf('one', take, { maxAttempts: 1 }),
      handlerOf('two', take, { maxAttempts: 1 }),
    ]);
  };
  const idOf = async (eventId: string, handler = 'one', state?: DeliveryState) => {
    const { deliveries } = await host.deliveries.list({ handler, limit: 500, ...(state && { state }) });
    return deliveries.find(({ event }) => event.id === eventId)?.id ?? 0;
  };
  const states = async (handler: string) => {
    const { deliveries } = await host.deliveries.list({ handler });
    return deliveries.map(({ event, state, replay }) => `${event.id} ${replay} ${state}`).toReversed();
  };

  beforeEach(async () => {
    runs = [];
    isFixed = false;
    await boot();
  });

  test('is run again when it is replayed, whatever its end was, under the same idempotency key', async () => {
    await host.receive(['EV_1', 'room_started'], ['EV_none', 'room_started'], ['EV_bad', 'room_started']);
    await host.deliveries.drain();
    runs.length = 0;
    isFixed = true;
    for (const id of ['EV_1', 'EV_none', 'EV_bad']) await host.deliveries.replay(await idOf(id));
    await host.deliveries.drain();
    expect(runs).toEqual(['default/EV_1/one 1', 'default/EV_bad/one 1']);
    expect((await states('one')).sort()).toEqual([
      'EV_1 0 done',
      'EV_1 1 done',
      'EV_bad 0 replayed',
      'EV_bad 1 done',
      'EV_none 0 discarded',
      'EV_none 1 discarded',
    ]);
  });

  test('counts its replays, and begins its attempts anew', async () => {
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    const first = await idOf('EV_1');
    let last = first;
    for (const next of [() => first, () => first, () => last, () => last]) {
      last = await host.deliveries.replay(next());
      await host.deliveries.drain();
    }
    const ofOne = runs.filter((run) => run.includes('/one '));
    expect(ofOne.sort()).toEqual([0, 1, 2, 3, 4].map((replay) => `default/EV_1/one ${replay}`));
    expect((await host.deliveries.list({ handler: 'one' })).deliveries.map(({ attempt }) => attempt)).toEqual(
      [1, 1, 1, 1, 1],
    );
  });

  test('is not replayed before its end', async () => {
    await host.deliveries.pause('one');
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    await expect(host.deliveries.replay(await idOf('EV_1'))).rejects.toThrow(
      /is pending: it will be run in any case/,
    );
  });

  test('is not replayed once its bytes are gone, and may still be dismissed', async () => {
    await host.receive(['EV_bad1', 'room_started'], ['EV_bad2', 'room_started']);
    await host.deliveries.drain();
    const id = await idOf('EV_bad1');
    const [{ seq } = { seq: 0 }] = await sqlQuery<{ seq: number }>(
      hosts.url,
      "SELECT seq FROM livekit_events WHERE event_id = 'EV_bad1'",
    );
    await sqlQuery(hosts.url, 'DELETE FROM livekit_bodies WHERE event_seq = ?', [seq]);
    await expect(host.deliveries.replay(id)).rejects.toThrow(DeliveryStateError);
    await expect(host.deliveries.replay(id)).rejects.toThrow(/bytes have been pruned or erased/);
    isFixed = true;
    expect(await host.deliveries.replayAll({ handler: 'one' })).toBe(1);
    await host.deliveries.drain();
    expect(runs).toEqual(['default/EV_bad2/one 1']);
    await host.deliveries.dismiss(id);
    expect(await idOf('EV_bad1', 'one', 'dismissed')).toBe(id);
  });

  test('is run again though it is pruned at that moment', async () => {
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    await host.app.get(EventStore).write(async (manager) => {
      const ended = await endedOne(manager, host.app.get(StoreClock), await idOf('EV_1'));
      await manager.query('DELETE FROM livekit_deliveries');
      await host.app.get(Replays).replay(manager, ended);
    });
    await host.pass(1);
    expect(runs.at(-1)).toBe('default/EV_1/one 1');
  });

  test('is dismissed only when it is dead, and only once', async () => {
    await host.receive(['EV_1', 'room_started'], ['EV_bad', 'room_started']);
    await host.deliveries.drain();
    await expect(host.deliveries.dismiss(await idOf('EV_1'))).rejects.toThrow(
      /is done: only a dead one can be dismissed/,
    );
    await host.deliveries.dismiss(await idOf('EV_bad'));
    await expect(host.deliveries.dismiss(await idOf('EV_bad'))).rejects.toThrow(/is dismissed/);
    expect(await states('one')).toEqual(['EV_1 0 done', 'EV_bad 0 dismissed']);
    expect(await host.deliveries.lag()).toMatchObject([{ dead: 0 }, { handler: 'two', dead: 1 }]);
  });

  test('is replayed with all of its like, in many small transactions, each once', async () => {
    await host.receive(
      ...Array.from({ length: MANY }, (_, n): [string, string] => [`EV_bad${n}`, 'room_started']),
    );
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    isFixed = true;
    runs.length = 0;
    expect(await host.deliveries.replayAll({ handler: 'one' })).toBe(MANY);
    await host.deliveries.drain();
    expect(runs.filter((run) => run.includes('/one 1'))).toHaveLength(MANY);
    expect(new Set(runs).size).toBe(MANY);
    expect(await host.deliveries.replayAll({ handler: 'one' })).toBe(0);
    for (let again = 0; again < 2; again += 1) {
      // The last run of each, and not what was replayed before.
      expect(await host.deliveries.replayAll({ handler: 'one', state: 'done' })).toBe(MANY + 1);
      await host.deliveries.drain();
    }
    expect(await countOf(hosts.url, 'livekit_deliveries', "handler = 'two' AND state = 'dead'")).toBe(MANY);
  });

  test('is replayed with those of its room, or of its state', async () => {
    await host.receive(
      ['EV_1', 'room_started', 'RM_1'],
      ['EV_2', 'room_started', 'RM_2'],
      ['EV_bad1', 'room_started', 'RM_1'],
      ['EV_bad2', 'room_started', 'RM_2'],
    );
    await host.deliveries.drain();
    isFixed = true;
    runs.length = 0;
    expect(await host.deliveries.replayAll({ room: 'name-of-RM_1' })).toBe(2);
    expect(await host.deliveries.replayAll({ handler: 'two', state: 'done', room: 'RM_2' })).toBe(1);
    await host.deliveries.drain();
    expect(runs.sort()).toEqual(['default/EV_2/two 1', 'default/EV_bad1/one 1', 'default/EV_bad1/two 1']);
  });

  test('is not replayed with what has not ended, even when that is asked for', async () => {
    await host.deliveries.pause('one');
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await host.deliveries.replayAll({ handler: 'one', state: 'pending' })).toBe(0);
  });

  test('is replayed only when it is dead, where no state is asked for', async () => {
    await host.receive(['EV_1', 'room_started'], ['EV_bad', 'room_started']);
    await host.deliveries.drain();
    expect(await host.deliveries.replayAll({ handler: 'one', ...({ state: undefined } as object) })).toBe(1);
  });

  test('is refused in a state that there is not, though there is none at all', async () => {
    await expect(host.deliveries.replayAll({ state: 'gone' as DeliveryState })).rejects.toThrow(
      DeliveryRequestError,
    );
  });

  test('is dismissed with all of its like though the event was replayed since, from its first delivery', async () => {
    await host.receive(['EV_bad', 'room_started']);
    await host.deliveries.drain();
    const first = await idOf('EV_bad');
    await host.deliveries.replay(first);
    await host.deliveries.drain();
    isFixed = true;
    await host.deliveries.replay(first);
    await host.deliveries.drain();
    expect(await host.deliveries.replayAll({ handler: 'one' })).toBe(0);
    expect(await host.deliveries.dismissAll({ handler: 'one' })).toBe(1);
    expect(await states('one')).toEqual(['EV_bad 0 replayed', 'EV_bad 1 dismissed', 'EV_bad 2 done']);
  });

  test('is dismissed with all of its like', async () => {
    await host.receive(
      ...Array.from({ length: MANY }, (_, n): [string, string, string] => [
        `EV_bad${n}`,
        'room_started',
        `RM_${n % 2}`,
      ]),
    );
    await host.deliveries.drain();
    expect(await host.deliveries.dismissAll({ handler: 'one', room: 'RM_1' })).toBe(MANY / 2);
    expect(await host.deliveries.dismissAll({ handler: 'one' })).toBe(MANY / 2);
    expect(await host.deliveries.lag()).toMatchObject([
      { handler: 'one', dead: 0 },
      { handler: 'two', dead: MANY },
    ]);
  });
});
