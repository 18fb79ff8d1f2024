import { StoreClock, systemClock } from '../../../src/event-log/clock.js';
import { FactStore } from '../../../src/sessions/projection/fact-store.js';
import type { ConnectionFact, Departure } from '../../../src/sessions/facts/facts.js';
import { leaveOf } from '../../../src/sessions/fold/participants.js';
import { KnownRooms } from '../../../src/sessions/reconciliation/known-rooms.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { type ReconciledHost, reconciledHosts } from '../../support/reconciled.js';
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
  const again = { sid: 'PA_2', identity: 'ann', joinedAt: '3' };

  type Told = [event: string, more: object, participant: object][];

  const cases: [string, number, Told][] = [
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

  const figuresOf = async ({ app, tester, session }: ReconciledHost, told: Told) => {
    for (const [nth, [event, more, participant]] of told.entries()) {
      const room = { sid: 'RM_1', name: 'call' };
      const body = { event, id: `EV_${nth}`, createdAt: `${nth + 1}`, room, participant, ...more };
      await tester.deliver(JSON.stringify(body));
    }
    const its = (await session('call'))?.activeParticipants;
    return { its, all: await app.get(SessionsService).activeParticipants() };
  };

  const replaced: [string, number, Told][] = [
    [
      'nobody whose next connection is over, though the leave of the one before was lost',
      0,
      [
        ['participant_joined', {}, ann],
        ['participant_joined', {}, again],
        ['participant_left', {}, again],
      ],
    ],
    [
      'nobody twice of whose next connection only tracks are known',
      1,
      [
        ['participant_joined', {}, ann],
        ['track_published', { track: { sid: 'TR_1' } }, { sid: 'PA_2', identity: 'ann' }],
      ],
    ],
  ];

  test.each(replaced)('have %s', async (_, present, told) => {
    const figures = await figuresOf(await hosts.boot(), told);
    expect(figures).toEqual({ its: present, all: { standard: present, agent: 0, sip: 0 } });
  });

  const asAnother: [string, object, Told][] = [
    [
      'who comes again by telephone',
      { sip: 1 },
      [
        ['participant_joined', {}, ann],
        ['participant_left', {}, ann],
        ['participant_joined', {}, { ...again, kind: 'SIP' }],
      ],
    ],
    [
      'who comes again, though the leave of their call was lost',
      { standard: 1 },
      [
        ['participant_joined', {}, { ...ann, kind: 'SIP' }],
        ['participant_joined', {}, again],
      ],
    ],
    [
      'whose call is known by its track alone',
      { sip: 1 },
      [
        ['participant_joined', {}, { ...ann, kind: 'SIP' }],
        ['participant_left', {}, { ...ann, kind: 'SIP' }],
        ['track_published', { track: { sid: 'TR_1' } }, { sid: 'PA_2', identity: 'ann' }],
      ],
    ],
  ];

  test.each(asAnother)('have each as what they are there as: %s', async (_, expected, told) => {
    const { all } = await figuresOf(await hosts.boot(), told);
    expect(all).toEqual({ standard: 0, agent: 0, sip: 0, ...expected });
  });

  test.each(cases)('have %s', async (_, present, told) => {
    const host = await hosts.boot();
    const figures = await figuresOf(host, told);
    expect(figures).toEqual({ its: present, all: { standard: present, agent: 0, sip: 0 } });
    const { app } = host;
    expect(await app.get(KnownRooms).active('default')).toMatchObject([{ roomSid: 'RM_1', present }]);
  });
});
