import { dispositionOf } from '../../../src/sessions/fold/disposition.js';
import { foldOf, stay } from './facts.js';

const leave = (reason: string) => ({ at: 20_000, reason, eventId: 'EV_1' });

describe('an agent that calls out', () => {
  it.each([
    ['USER_UNAVAILABLE', 'no_answer'],
    ['SIP_TRUNK_FAILURE', 'no_answer'],
    ['USER_REJECTED', 'busy'],
    ['CLIENT_INITIATED', 'completed'],
    ['CONNECTION_TIMEOUT', 'dropped'],
  ])('and whose callee leaves with %s: %s', (reason, disposition) => {
    const session = foldOf(
      { finishes: [{ at: 30_000, endReason: null }] },
      stay('PA_1', 1_000, 25_000, { kind: 'agent' }),
      stay('PA_2', 2_000, null, { kind: 'sip', leave: leave(reason) }),
    );
    expect(dispositionOf(session)).toBe(disposition);
  });
});

describe('a call of two', () => {
  const ended = (endReason: string | null = null) => ({ finishes: [{ at: 30_000, endReason }] });
  const agent = stay('PA_1', 1_000, 25_000, { kind: 'agent' });

  it('is dropped where its caller was, though the connection that this one replaced is told to end later', () => {
    const caller = (sid: string, left: ReturnType<typeof leave>) =>
      stay(sid, 2_000, null, { identity: 'ann', leave: left });
    const session = foldOf(
      ended(),
      agent,
      caller('PA_2', { ...leave('DUPLICATE_IDENTITY'), at: 22_000 }),
      caller('PA_3', leave('CONNECTION_TIMEOUT')),
    );
    expect(dispositionOf(session)).toBe('dropped');
  });

  it('is deleted where the room is told to be, though everybody had left of their own', () => {
    const session = foldOf(ended('ROOM_END_API_DELETE'), agent, stay('PA_2', 2_000, 20_000));
    expect(dispositionOf(session)).toBe('deleted');
  });

  it.each(['egress', 'ingress'])(
    'is deleted where nothing was left in the room but %s, which is told so',
    (kind) => {
      const rest = stay('PA_3', 3_000, null, { kind, leave: leave('ROOM_DELETED') });
      const session = foldOf(ended(), agent, stay('PA_2', 2_000, 15_000), rest);
      expect(dispositionOf(session)).toBe('deleted');
    },
  );
});
