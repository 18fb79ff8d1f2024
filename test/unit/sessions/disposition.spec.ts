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
