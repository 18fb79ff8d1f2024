import { StoreClock, systemClock } from '../../../src/event-log/clock.js';
import { FactStore } from '../../../src/sessions/fact-store.js';
import type { ConnectionFact, Departure } from '../../../src/sessions/facts/facts.js';
import { leaveOf } from '../../../src/sessions/fold/participants.js';
import { KnownRooms } from '../../../src/sessions/reconciliation/known-rooms.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { reconciledHosts } from '../../support/reconciled.js';
import { freshStores } from '../../support/stores.js';
import { connectionFact } from '../../unit/sessions/facts.js';

const AT = 5_000;
const departure = (more: Partial<Departure> = {}): Departure => ({
  at: AT,
  reason: null,
  eventId: 'EV_1',
  ...more,
});

const LEAVES = [
  null,
  departure({ reason: 'CLIENT_INITIATED' }),
  departure({ inferred: true }),
  departure({ inferred: true, reason: 'MIGRATION' }),
];

/** Connections of everything that may tell whether one goes on. */
const EVERY: ConnectionFact[] = [true, false]
  .flatMap((connected) =>
    [null, 1].flatMap((joinedAt) =>
      [null, AT - 1, AT, AT + 1].flatMap((lastSeenAt) =>
        LEAVES.flatMap((leave) =>
          [null, departure({ reason: 'JOIN_FAILURE' })].map((abort) =>
            connectionFact({ connected, joinedAt, lastSeenAt, leave, abort }),
          ),
        ),
      ),
    ),
  )
  .map((fact, nth) => ({ ...fact, participantSid: `PA_${nth}` }));

describe('who is present', () => {
  const fresh = freshStores();

  test('is the same to a query as to the fold, whatever is known', async () => {
    await fresh.store.write((manager) =>
      new FactStore(manager).keep({ rooms: [], connections: EVERY, egresses: [] }),
    );
    const known = new KnownRooms(fresh.store, new StoreClock(fresh.store, systemClock));
    const present = (await known.presentIn('default', ['RM_1'])).get('RM_1');
    const expected = EVERY.filter((fact) => fact.connected && leaveOf(fact) === null);
    expect(present).toEqual(
      new Map(expected.map(({ participantSid, joinedAt }) => [participantSid, joinedAt !== null])),
    );
  });
});

describe('figures of who is present', () => {
  const hosts = reconciledHosts();

  const ann = { sid: 'PA_1', identity: 'ann' };

  const cases: [string, number, [event: string, more: object, participant: object][]][] = [
    [
      'who came back from a move to another server',
      1,
      [
        ['participant_joined', {}, ann],
        ['participant_left', {}, { ...ann, disconnectReason: 'MIGRATION' }],
        ['participant_joined', {}, ann],
      ],
    ],
    [
      'no attempt that only its tracks had shown',
      0,
      [
        ['track_published', { track: { sid: 'TR_1' } }, ann],
        ['participant_connection_aborted', {}, { ...ann, disconnectReason: 'JOIN_FAILURE' }],
      ],
    ],
  ];

  test.each(cases)('have %s', async (_, present, told) => {
    const { app, tester, session } = await hosts.boot();
    for (const [nth, [event, more, participant]] of told.entries()) {
      const room = { sid: 'RM_1', name: 'call' };
      const body = { event, id: `EV_${nth}`, createdAt: `${nth + 1}`, room, participant, ...more };
      await tester.deliver(JSON.stringify(body));
    }
    expect(await session('call')).toMatchObject({ activeParticipants: present });
    const figures = await app.get(SessionsService).activeParticipants();
    expect(figures).toEqual({ standard: present, agent: 0, sip: 0 });
    expect(await app.get(KnownRooms).active('default')).toMatchObject([{ roomSid: 'RM_1', present }]);
  });
});
