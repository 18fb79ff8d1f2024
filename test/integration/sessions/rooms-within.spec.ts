import { EventStore } from '../../../src/database/event-store.js';
import { FactStore } from '../../../src/sessions/projection/fact-store.js';
import { factsOf } from '../../../src/sessions/facts/extract.js';
import { roomsWithin } from '../../../src/sessions/projection/rooms-within.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';

describe('rooms that are changed in one transaction', () => {
  const connections = [3, 1, 5, 0, 2];
  const rooms = connections.map((_, room) => ({ source: 'default', roomSid: `RM_${room}` }));
  let database: FreshDatabase;
  let store: EventStore;

  const within = async (limit: number, some = rooms) =>
    (await store.read((manager) => roomsWithin(manager, some, limit))).map(({ roomSid }) => roomSid);

  beforeAll(async () => {
    database = await freshDatabase();
    store = await EventStore.open({ url: database.url });
    const joins = connections.flatMap((count, room) =>
      Array.from({ length: count }, (_, i) =>
        factsOf({
          source: 'default',
          eventId: `EV_${room}_${i}`,
          name: 'participant_joined',
          occurredAt: 1,
          body: { room: { sid: `RM_${room}` }, participant: { sid: `PA_${i}`, identity: 'caller' } },
        }),
      ),
    );
    await store.transaction((manager) =>
      new FactStore(manager).merge({
        rooms: joins.flatMap((facts) => facts.rooms),
        connections: joins.flatMap((facts) => facts.connections),
        egresses: [],
      }),
    );
  });

  afterAll(async () => {
    await store.close();
    await database.drop();
  });

  test('are so many that they have about as many connections as are told', async () => {
    expect(await within(3)).toEqual(['RM_0']);
    expect(await within(4)).toEqual(['RM_0', 'RM_1']);
    expect(await within(5)).toEqual(['RM_0', 'RM_1', 'RM_2']);
    expect(await within(100)).toEqual(['RM_0', 'RM_1', 'RM_2', 'RM_3', 'RM_4']);
  });

  test('are one at least, however many connections it has', async () => {
    expect(await within(1, rooms.slice(2))).toEqual(['RM_2']);
    expect(await within(1, rooms.slice(2, 3))).toEqual(['RM_2']);
    expect(await within(1, [])).toEqual([]);
  });

  test('are those that were asked for, whether anything is known of them or not', async () => {
    const unknown = [{ source: 'other', roomSid: 'RM_0' }, ...rooms.slice(3)];
    expect(await within(3, unknown)).toEqual(['RM_0', 'RM_3', 'RM_4']);
  });
});
