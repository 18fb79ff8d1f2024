import type { EgressFact } from '../../../src/sessions/facts/facts.js';
import { foldRoom } from '../../../src/sessions/fold/fold.js';
import type { SessionRow } from '../../../src/sessions/projection/session-row.js';
import { toSession } from '../../../src/sessions/to-session.js';
import { connectionFact, foldOf, recording, roomFact, stay } from './facts.js';

const ROW: SessionRow = {
  sessionId: 'call',
  state: 'settled',
  disposition: 'completed',
  dispositionSource: 'rules',
  metadata: {},
  unmatched: null,
  idKept: null,
  settlesAt: null,
  revision: 1,
};

const inferredIn = (finish: object, row: Partial<SessionRow> = {}): string[] => {
  const leave = { at: 5_000, reason: 'CLIENT_INITIATED', eventId: 'EV_1' };
  const [fold] = foldRoom({
    room: roomFact({ openedAt: 1_000, finishes: [{ at: 60_000, endReason: null, ...finish }] }),
    connections: [connectionFact({ joinedAt: 2_000, leave })],
    egresses: [],
  });
  return toSession(fold as never, { ...ROW, ...row }).inferred;
};

describe('the disposition of a session', () => {
  it('is as sure as its end, which may tell that the room was deleted', () => {
    expect(inferredIn({})).toEqual([]);
    expect(inferredIn({ inferred: 'gone' })).toEqual(['endedAt', 'disposition']);
  });

  it('is doubted where nothing but the end is told: whoever came may have been lost', () => {
    const nobodyIn = (starts: number[]) => {
      const fold = foldOf({ openedAt: 1_000, starts, finishes: [{ at: 60_000, endReason: null }] });
      return toSession(fold, { ...ROW, disposition: 'nobody_came' }).inferred;
    };
    expect(nobodyIn([])).toEqual(['peakParticipants', 'disposition']);
    expect(nobodyIn([1_000])).toEqual([]);
  });

  it('is doubted where the leave of a recorder is lost, which may tell that the room was deleted', () => {
    const fold = foldOf(
      { openedAt: 1_000, starts: [1_000], finishes: [{ at: 60_000, endReason: null }] },
      stay('PA_1', 2_000, 5_000),
      stay('PA_2', 3_000, null, { kind: 'egress' }),
    );
    expect(toSession(fold, ROW).inferred).toEqual(['leftAt', 'disposition']);
    expect(toSession(fold, { ...ROW, disposition: 'abandoned' }).inferred).toEqual(['leftAt']);
  });

  it.each(['host', 'option'] as const)('is not doubted where the %s has said it', (dispositionSource) => {
    expect(inferredIn({ inferred: 'gone' }, { dispositionSource })).toEqual(['endedAt']);
  });
});

describe('the recordings of a session', () => {
  const sessionWith = (state: SessionRow['state'], ...egresses: EgressFact[]) => {
    const [fold] = foldRoom({ room: roomFact({ starts: [1] }), connections: [], egresses });
    return toSession(fold as never, { ...ROW, dispositionSource: 'host', state });
  };

  it('are doubted where it has settled before they ended', () => {
    const [running, ended] = [recording('EG_1'), recording('EG_2', { progress: 3 })];
    expect(sessionWith('settled', running, ended).inferred).toEqual(['recordings']);
    expect(sessionWith('ended', running).inferred).toEqual([]);
    expect(sessionWith('settled', ended).inferred).toEqual([]);
  });

  it('have an id, unless they failed before they had one', () => {
    const { recordings } = sessionWith('ended', recording('EG_1'), recording('event:EV_1'));
    expect(recordings.map(({ egressId }) => egressId)).toEqual(['EG_1', null]);
  });
});
