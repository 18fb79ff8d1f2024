import { changesOf } from '../../../src/sessions/events/changes.js';
import { foldRoom } from '../../../src/sessions/fold/fold.js';
import type { SessionRow } from '../../../src/sessions/session-row.js';
import type { Session } from '../../../src/sessions/session.js';
import { toSession } from '../../../src/sessions/to-session.js';
import { connectionFact, roomFact } from './facts.js';

const ROW: SessionRow = {
  sessionId: 'order-1',
  state: 'active',
  disposition: null,
  dispositionSource: null,
  metadata: {},
  unmatched: null,
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

  it('is corrected to nothing when it turns out to be a part of another', () => {
    const settled = { ...session({ state: 'settled' }), segment: 1 };
    expect(changesOf([session(), settled], [session()])).toMatchObject([
      { name: 'session.corrected', payload: { before: settled, after: null } },
    ]);
  });
});
