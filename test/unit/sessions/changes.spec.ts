import { changesOf } from '../../../src/sessions/events/changes.js';
import { foldRoom } from '../../../src/sessions/fold/fold.js';
import type { SessionRow } from '../../../src/sessions/projection/session-row.js';
import type { Session } from '../../../src/sessions/session.js';
import { toSession } from '../../../src/sessions/to-session.js';
import { connectionFact, roomFact, stay } from './facts.js';

const ROW: SessionRow = {
  sessionId: 'order-1',
  state: 'active',
  disposition: null,
  dispositionSource: null,
  metadata: {},
  unmatched: null,
  idKept: null,
  settlesAt: null,
  revision: 1,
};

const [FOLD] = foldRoom({
  room: roomFact({ openedAt: 1_000 }),
  connections: [connectionFact({ joinedAt: 2_000 })],
  egresses: [],
});

const session = (row: Partial<SessionRow> = {}): Session => toSession(FOLD as never, { ...ROW, ...row });
const namesOf = (before: Session[], after: Session[]): string[] =>
  changesOf(before, after).map(({ name }) => name);

describe('a session that is told', () => {
  it('has started and who is in it has joined, the first time', () => {
    expect(namesOf([], [session()])).toEqual(['session.started', 'session.participant_joined']);
  });

  it('tells of nobody who does not count', () => {
    const [fold] = foldRoom({
      room: roomFact({ openedAt: 1_000 }),
      connections: [stay('PA_1', 2_000, 3_000, { kind: 'egress' })],
      egresses: [],
    });
    expect(namesOf([], [toSession(fold as never, ROW)])).toEqual(['session.started']);
  });

  it('has changed in nothing that is told while it goes on and stays the same in all but its metadata', () => {
    expect(namesOf([session()], [session({ metadata: { tier: 'gold' }, revision: 2 })])).toEqual([]);
  });

  it.each<Session['state']>(['active', 'ended', 'settled'])(
    'is corrected when it turns out to be called otherwise while it is %s',
    (state) => {
      const [before, after] = [session({ state }), session({ state, sessionId: 'order-2', revision: 2 })];
      expect(changesOf([before], [after])).toEqual([
        { name: 'session.corrected', payload: { before, after }, key: 2, at: null },
      ]);
    },
  );

  it('is corrected when it changes in anything after it was settled, and not for its revision alone', () => {
    const settled = session({ state: 'settled' });
    expect(namesOf([settled], [session({ state: 'settled', revision: 2 })])).toEqual([]);
    expect(namesOf([settled], [session({ state: 'settled', metadata: { tier: 'gold' } })])).toEqual([
      'session.corrected',
    ]);
  });

  it('tells a connection once, though an end that comes late divides the session that it is in', () => {
    const room = roomFact({ openedAt: 1_000, starts: [1_000, 20_000] });
    const connections = [stay('PA_1', 2_000, 9_000), stay('PA_2', 21_000, 25_000)];
    const finishes = [{ at: 10_000, endReason: null }];
    const [whole, divided] = [room, { ...room, finishes }].map((known) =>
      foldRoom({ room: known, connections, egresses: [] }).map((fold) =>
        toSession(fold, { ...ROW, state: fold.state }),
      ),
    ) as [Session[], Session[]];
    expect(namesOf(whole, divided)).toEqual(['session.ended', 'session.started']);
    expect(namesOf(divided, whole)).toEqual([]);
  });

  it('is corrected to nothing when it turns out to be a part of another', () => {
    const settled = { ...session({ state: 'settled' }), segment: 1 };
    expect(changesOf([session(), settled], [session()])).toMatchObject([
      { name: 'session.corrected', payload: { before: settled, after: null } },
    ]);
  });
});
