import fc from 'fast-check';
import { factsOf } from '../../../src/sessions/facts/extract.js';
import { foldRoom } from '../../../src/sessions/fold/fold.js';
import { runs } from './arbitraries.js';

const names = fc.constantFrom(
  'room_started',
  'room_finished',
  'participant_joined',
  'participant_left',
  'participant_connection_aborted',
  'track_published',
  'egress_ended',
  'something_new',
);

// Any JSON in the place of each field that is read.
const json = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>('1795423728435', '9'.repeat(15), '9'.repeat(30), 1e308, -1, 3, 'a\0b', '\ud800'),
);
const objectOf = (...fields: string[]) =>
  fc.oneof(
    json,
    fc
      .tuple(fc.constantFrom('RM_1', 'PA_1'), ...fields.map(() => fc.option(json, { nil: undefined })))
      .map(([sid, ...values]) => ({
        sid,
        ...Object.fromEntries(fields.map((field, nth) => [field, values[nth]])),
      })),
  );
const bodies = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      room: objectOf('name', 'creationTime', 'creationTimeMs', 'metadata', '__proto__'),
      participant: objectOf(
        'identity',
        'kind',
        'joinedAt',
        'joinedAtMs',
        'version',
        'name',
        'attributes',
        'disconnectReason',
      ),
      egressInfo: objectOf('roomId', 'roomName'),
      roomEndReason: json,
    },
    { requiredKeys: [] },
  ),
);

const events = fc.record({
  source: fc.constant('default'),
  eventId: fc.string(),
  name: names,
  occurredAt: fc.nat(),
  body: bodies.map((body) => JSON.parse(JSON.stringify(body)) as unknown),
});

// What a PostgreSQL text column refuses.
const isUntold = (text: string): boolean => text.includes('\\u0000') || /\\ud[89a-f]/.test(text);

it('whatever an event says, its facts can be stored and told', () => {
  fc.assert(
    fc.property(events, (event) => {
      const { rooms, connections } = factsOf(event);
      const kept = JSON.stringify([
        rooms.map(({ description, ...fact }) => [fact, description?.room]),
        connections.map(({ leave, abort, name, ...fact }) => [
          fact.identity,
          fact.kind,
          [leave?.reason, abort?.reason, name?.value],
        ]),
      ]);
      expect(isUntold(kept)).toBe(false);
      for (const room of rooms) {
        for (const session of foldRoom({ room, connections, egresses: [] })) {
          const times = [session.beganAt, session.startedAt, session.firstJoinedAt, session.lastLeftAt];
          for (const time of times) expect(() => new Date(time ?? 0).toISOString()).not.toThrow();
        }
      }
    }),
    runs(2_000),
  );
});
