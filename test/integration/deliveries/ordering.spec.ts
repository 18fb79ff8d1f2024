import { Injectable } from '@nestjs/common';
import { isClaimable } from '../../../src/event-log/claim/claims.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import type { BatchContext, DeliveryContext } from '../../../src/event-log/handlers/context.js';
import { FailDelivery } from '../../../src/event-log/handlers/outcomes.js';
import { Erasure } from '../../../src/event-log/retention/erasure.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { bootHandlers, type HandlerHost, handlerOf } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';
import { until } from '../../support/until.js';

type Started = LivekitEvent<'room_started'>;

/** A handler that dies of some events at once, and whose rooms wait behind them. */
function blocking(done: string[], isPoison: (id: string) => boolean): new () => object {
  @Injectable()
  class Blocks {
    @OnLivekitEvent('room_started', {
      name: 'blocks',
      ordering: 'room',
      onDeadLetter: 'block',
      maxAttempts: 1,
    })
    take({ id }: Started) {
      if (isPoison(id)) throw new Error('poison');
      done.push(id);
    }
  }
  return Blocks;
}

describe('a handler that is ordered by room', () => {
  let database: FreshDatabase;
  let host: HandlerHost;

  const boot = async (provider: new () => object) => {
    host = await bootHandlers({ url: database.url, providers: [provider] });
  };
  const inRooms = (rooms: number, each: number): [string, string, string][] =>
    Array.from({ length: rooms * each }, (_, n) => [
      `EV_${n % rooms}_${Math.floor(n / rooms)}`,
      'room_started',
      `RM_${n % rooms}`,
    ]);
  const roomOf = (id: string) => id.split('_')[1];
  const ofRoom = (ids: readonly string[], room: number) => ids.filter((id) => roomOf(id) === String(room));

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await host.app.close();
    await database.drop();
  });

  test('takes the events of a room one at a time, as they were appended, and several rooms at once', async () => {
    const begun: string[] = [];
    const busy = new Set<string>();
    let mostRooms = 0;
    @Injectable()
    class Ordered {
      @OnLivekitEvent('room_started', { name: 'ordered', ordering: 'room', concurrency: 4 })
      async take({ id, room: { sid } }: Started) {
        expect(busy.has(sid)).toBe(false);
        busy.add(sid);
        mostRooms = Math.max(mostRooms, busy.size);
        begun.push(id);
        await new Promise((resolve) => setTimeout(resolve, 2));
        busy.delete(sid);
      }
    }
    await boot(Ordered);
    const events = inRooms(5, 12);
    // Some at once, so that several rooms have something to do however long a commit takes.
    while (events.length > 0) await host.receive(...events.splice(0, 20));
    await host.deliveries.drain();
    expect(begun).toHaveLength(60);
    for (const room of [0, 1, 2, 3, 4]) {
      expect(ofRoom(begun, room)).toEqual(Array.from({ length: 12 }, (_, n) => `EV_${room}_${n}`));
    }
    expect(mostRooms).toBeGreaterThan(1);
    expect(mostRooms).toBeLessThanOrEqual(4);
  });

  test('lets later ones of a room wait behind a retry, those that come meanwhile among them, and no other room', async () => {
    const done: string[] = [];
    let isDown = true;
    @Injectable()
    class Waiting {
      @OnLivekitEvent('room_started', { name: 'waiting', ordering: 'room', backoff: () => 10_000 })
      take({ id }: Started) {
        if (id === 'EV_0_1' && isDown) throw new Error('not now');
        done.push(id);
      }
    }
    await boot(Waiting);
    for (const event of inRooms(2, 4)) await host.receive(event);
    await host.deliveries.drain();
    expect(ofRoom(done, 0)).toEqual(['EV_0_0']);
    expect(ofRoom(done, 1)).toHaveLength(4);
    await host.receive(['EV_0_4', 'room_started', 'RM_0']);
    await host.pass(5_000);
    expect(ofRoom(done, 0)).toEqual(['EV_0_0']);
    isDown = false;
    await host.pass(8_000);
    expect(ofRoom(done, 0)).toEqual(['EV_0_0', 'EV_0_1', 'EV_0_2', 'EV_0_3', 'EV_0_4']);
  });

  test('holds up no new room for the dead letter of one of its name that was erased meanwhile', async () => {
    const dying = gate();
    const begun: string[] = [];
    const take = async ({ eventId }: LoggedEvent) => {
      begun.push(eventId);
      if (eventId !== 'app:1') return;
      await dying.opened;
      throw new FailDelivery('poison');
    };
    await boot(handlerOf('blocks', take, { kind: 'app', ordering: 'room', onDeadLetter: 'block' }));
    const append = (id: string) => host.log.append('call.ended', {}, { id, room: { name: 'lobby' } });
    await append('1');
    await until('the first to be begun', () => begun.length === 1);
    await host.app.get(Erasure).eraseRoom('lobby');
    await append('2');
    await until(
      'the second to be given',
      async () => (await countOf(database.url, 'livekit_deliveries')) === 2,
    );
    dying.open();
    await host.deliveries.drain();
    expect(begun).toEqual(['app:1', 'app:2']);
  });

  test('goes on in a room after a dead letter', async () => {
    const done: string[] = [];
    @Injectable()
    class GoesOn {
      @OnLivekitEvent('room_started', { name: 'goes-on', ordering: 'room', maxAttempts: 1 })
      take({ id }: Started) {
        if (id === 'EV_0_1') throw new Error('poison');
        done.push(id);
      }
    }
    await boot(GoesOn);
    for (const event of inRooms(1, 4)) await host.receive(event);
    await host.deliveries.drain();
    expect(done).toEqual(['EV_0_0', 'EV_0_2', 'EV_0_3']);
  });

  test.each(['replayed', 'dismissed'] as const)(
    'blocks a room behind a dead letter when told so, until that is %s',
    async (how) => {
      const done: string[] = [];
      let isFixed = false;
      await boot(blocking(done, (id) => id === 'EV_0_1' && !isFixed));
      for (const event of inRooms(2, 3)) await host.receive(event);
      await host.deliveries.drain();
      await host.receive(['EV_0_3', 'room_started', 'RM_0']);
      await host.pass(86_400_000);
      expect(ofRoom(done, 0)).toEqual(['EV_0_0']);
      expect(ofRoom(done, 1)).toHaveLength(3);
      isFixed = true;
      const [dead] = (await host.deliveries.list({ handler: 'blocks', state: 'dead' })).deliveries;
      if (how === 'replayed') await host.deliveries.replay(dead?.id ?? 0);
      else await host.deliveries.dismiss(dead?.id ?? 0);
      await host.deliveries.drain();
      const rest = ['EV_0_2', 'EV_0_3'];
      expect(ofRoom(done, 0)).toEqual(['EV_0_0', ...(how === 'replayed' ? ['EV_0_1'] : []), ...rest]);
    },
  );

  test.each(['replayed', 'dismissed'] as const)(
    'lets a replay in a blocked room wait, too, until its dead letter is %s',
    async (how) => {
      const done: string[] = [];
      let isFixed = false;
      await boot(blocking(done, (id) => id === 'EV_0_1' && !isFixed));
      for (const event of inRooms(1, 3)) await host.receive(event);
      await host.deliveries.drain();
      const [first] = (await host.deliveries.list({ handler: 'blocks', state: 'done' })).deliveries;
      const replay = await host.deliveries.replay(first?.id ?? 0);
      await host.pass(86_400_000);
      expect(done).toEqual(['EV_0_0']);
      expect(await host.deliveries.get(replay)).toMatchObject({ state: 'pending', dueAt: null });
      isFixed = true;
      const [dead] = (await host.deliveries.list({ handler: 'blocks', state: 'dead' })).deliveries;
      if (how === 'replayed') await host.deliveries.replay(dead?.id ?? 0);
      else await host.deliveries.dismiss(dead?.id ?? 0);
      await host.pass(10);
      const retried = how === 'replayed' ? ['EV_0_1'] : [];
      expect(done).toEqual(['EV_0_0', ...retried, 'EV_0_2', 'EV_0_0']);
    },
  );

  test('blocks a room when the dead letter was the last that had come', async () => {
    const done: string[] = [];
    await boot(blocking(done, (id) => id === 'EV_0_0'));
    await host.receive(['EV_0_0', 'room_started', 'RM_0']);
    await host.deliveries.drain();
    await host.receive(['EV_0_1', 'room_started', 'RM_0']);
    await host.deliveries.drain();
    expect(done).toEqual([]);
  });

  test('takes batches of one room each, in order', async () => {
    const batches: string[][] = [];
    @Injectable()
    class Batches {
      @OnLivekitEvent('room_started', { name: 'batches', ordering: 'room', batch: 5, backoff: () => 1_000 })
      take(events: Started[], { deliveries }: BatchContext) {
        if (events.some(({ id }) => id === 'EV_0_2') && deliveries[0]?.attempt === 1) throw new Error('once');
        batches.push(events.map(({ id }) => id));
      }
    }
    await boot(Batches);
    await host.deliveries.pause('batches');
    for (const event of inRooms(3, 7)) await host.receive(event);
    await host.deliveries.resume('batches');
    await host.deliveries.drain();
    await host.pass(2_000);
    for (const batch of batches) expect(new Set(batch.map(roomOf)).size).toBe(1);
    expect(Math.max(...batches.map(({ length }) => length))).toBe(5);
    for (const room of [0, 1, 2]) {
      expect(ofRoom(batches.flat(), room)).toEqual(Array.from({ length: 7 }, (_, n) => `EV_${room}_${n}`));
    }
  });

  test('does not hold up one room for another that has much to do', async () => {
    const done: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    @Injectable()
    class Fair {
      @OnLivekitEvent('room_started', { name: 'fair', ordering: 'room', concurrency: 2 })
      async take({ id }: Started, _: DeliveryContext) {
        if (roomOf(id) === '0') await held;
        done.push(id);
      }
    }
    await boot(Fair);
    for (const event of inRooms(1, 200)) await host.receive(event);
    await host.receive(['EV_1_0', 'room_started', 'RM_1']);
    const drained = host.deliveries.drain();
    while (!done.includes('EV_1_0')) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(done).toEqual(['EV_1_0']);
    release();
    await drained;
    expect(done).toHaveLength(201);
  });

  test('lets nothing overtake the retry of a replay where another dead letter is dismissed', async () => {
    const done: string[] = [];
    let isDown = true;
    const failing = (onDeadLetter: 'block' | 'continue', maxAttempts: number) => {
      @Injectable()
      class Failing {
        @OnLivekitEvent('room_started', {
          name: 'failing',
          ordering: 'room',
          onDeadLetter,
          maxAttempts,
          backoff: () => 10_000,
        })
        take({ id }: Started) {
          if (isDown && id !== 'EV_0_2') throw new Error('down');
          done.push(id);
        }
      }
      return Failing;
    };
    await boot(failing('continue', 1));
    for (const event of inRooms(1, 2)) await host.receive(event);
    await host.deliveries.drain();
    await host.app.close();
    await boot(failing('block', 2));
    await host.receive(['EV_0_2', 'room_started', 'RM_0']);
    await host.deliveries.drain();
    const [second, first] = (await host.deliveries.list({ handler: 'failing', state: 'dead' })).deliveries;
    await host.deliveries.replay(first?.id ?? 0);
    await host.deliveries.drain();
    await host.deliveries.dismiss(second?.id ?? 0);
    await host.deliveries.drain();
    expect(done).toEqual([]);
    isDown = false;
    await host.pass(12_000);
    expect(done).toEqual(['EV_0_0', 'EV_0_2']);
  });

  test('is given a replay after what waits in its room', async () => {
    const done: string[] = [];
    @Injectable()
    class Replayed {
      @OnLivekitEvent('room_started', { name: 'replayed', ordering: 'room' })
      take({ id }: Started) {
        done.push(id);
      }
    }
    await boot(Replayed);
    await host.receive(['EV_0_0', 'room_started', 'RM_0']);
    await host.deliveries.drain();
    const [first] = (await host.deliveries.list({ handler: 'replayed' })).deliveries;
    await host.deliveries.pause('replayed');
    for (const event of inRooms(1, 3).slice(1)) await host.receive(event);
    await host.deliveries.drain();
    await host.deliveries.replay(first?.id ?? 0);
    await host.receive(['EV_0_3', 'room_started', 'RM_0']);
    await host.deliveries.drain();
    await host.deliveries.resume('replayed');
    await host.pass(10);
    expect(done).toEqual(['EV_0_0', 'EV_0_1', 'EV_0_2', 'EV_0_0', 'EV_0_3']);
  });

  test('is given a replay after what waits in its room for an attempt that failed', async () => {
    const done: string[] = [];
    @Injectable()
    class Replayed {
      @OnLivekitEvent('room_started', { name: 'replayed', ordering: 'room', backoff: () => 1_000 })
      take({ id }: Started, { attempt }: DeliveryContext) {
        if (id === 'EV_0_1' && attempt < 3) throw new Error('not yet');
        done.push(id);
      }
    }
    await boot(Replayed);
    for (const event of inRooms(1, 3)) {
      await host.receive(event);
      await host.deliveries.drain();
    }
    const [first] = (await host.deliveries.list({ handler: 'replayed', state: 'done' })).deliveries;
    await host.deliveries.replay(first?.id ?? 0);
    for (let attempt = 2; attempt <= 3; attempt++) await host.pass(1_200);
    await host.pass(10);
    expect(done).toEqual(['EV_0_0', 'EV_0_1', 'EV_0_2', 'EV_0_0']);
  });

  test('lets go of the rooms it blocked once it is told not to block any more', async () => {
    const done: string[] = [];
    const blocker = (onDeadLetter: 'block' | 'continue') => {
      @Injectable()
      class Blocker {
        @OnLivekitEvent('room_started', { name: 'blocker', ordering: 'room', maxAttempts: 1, onDeadLetter })
        take({ id }: Started) {
          if (id === 'EV_0_0') throw new Error('poison');
          done.push(id);
        }
      }
      return Blocker;
    };
    await boot(blocker('block'));
    for (const event of inRooms(1, 2)) await host.receive(event);
    await host.deliveries.drain();
    expect(done).toEqual([]);
    await host.app.close();
    await boot(blocker('continue'));
    await host.deliveries.drain();
    expect(done).toEqual(['EV_0_1']);
  });

  testOnPostgres('is claimed for without all that is due being sorted', async () => {
    await boot(blocking([], () => false));
    await sqlQuery(
      database.url,
      `INSERT INTO livekit_deliveries (event_seq, handler, order_key, due_at)
       SELECT n, 'blocks', 'default/RM_1', 1 FROM generate_series(1, 20000) n`,
    );
    await sqlQuery(database.url, 'ANALYZE livekit_deliveries');
    const plan = await sqlQuery(
      database.url,
      `EXPLAIN SELECT d.id FROM livekit_deliveries d
       WHERE ${isClaimable({ ordered: true }, "'blocks'", '2')}
       ORDER BY d.due_at, d.event_seq LIMIT 64`,
    );
    expect(JSON.stringify(plan)).toContain('livekit_deliveries_pending ');
    expect(JSON.stringify(plan)).not.toContain('Sort');
    await sqlQuery(database.url, 'DELETE FROM livekit_deliveries');
  });
});
