import { createHash } from 'node:crypto';
import type { LoggedEvent, NewEvent } from '../../../dist/event-log/events.js';
import { capturedCall } from '../../../src/testing/captured-calls.js';

/** What stands in the ids of a call that is to be copied, in the place of what tells one copy from another. */
export const MARK = '~';

/** Recorded calls, ten events each, more or less: sessions of two parties, of a telephone, of a recording, and of a return. */
export const CALLS = ['two-party-call', 'sip-caller', 'recorded-call', 'leave-and-return'];

/** Times are told in steps as long as this, milliseconds: no call of ours is longer, and its digits stand in front of all others. */
export const STEP = 100_000;

/** Which copy of a call is meant: what stands in its ids, and when it took place, UTC seconds. */
export interface Copy {
  code: string;
  at: number;
  /** What stands in the ids of its room, if that is another's. */
  room?: string;
}

/** The bodies of a recorded call, under ids and at times of a copy's. */
export function bodiesOf(name: string, { code, at, room = code }: Copy): string[] {
  const { bodies, since } = recorded(name);
  const isOfCall = (seconds: string) => Math.abs(Number(seconds) - since) <= STEP / 1_000;
  return bodies.map((body) =>
    body
      .replaceAll(/"(\d{10})(\d{3}|\d{9})?"/g, (told, seconds: string, rest = '') =>
        isOfCall(seconds) ? `"${at + Number(seconds) - since}${rest}"` : told,
      )
      .replaceAll(/\b(RM_|call-)(?=\w)/g, `$1${room}`)
      .replaceAll(/\b(PA_|TR_|EG_|EV_|caller-)(?=\w)/g, `$1${code}`)
      .replaceAll('+15550100', `+49${code}`),
  );
}

const known = new Map<string, { bodies: string[]; since: number }>();

function recorded(name: string): { bodies: string[]; since: number } {
  let call = known.get(name);
  if (call === undefined) {
    const bodies = [...new Set(capturedCall(name).deliveries.map(({ body }) => body))];
    const [, first = ''] = /"createdAt":"(\d+)"/.exec(bodies[0] ?? '') ?? [];
    known.set(name, (call = { bodies, since: Number(first) - 1 }));
  }
  return call;
}

// A room that has been empty for five minutes, as far as is known, is taken for closed.
const justNow = (): number => Math.floor(Date.now() / 1_000) - 10;

/** Calls that go on at once. */
const AT_ONCE = 64;

/** The bodies of so many calls of two parties, ten each, in the order in which a busy backend is told of them. */
export function* busyHour(calls: number, code: string): Generator<string> {
  const at = justNow();
  for (let first = 0; first < calls; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, calls - first) }, (_, nth) =>
      bodiesOf('two-party-call', { code: `${code}${first + nth}-`, at }),
    );
    for (let nth = 0; nth < (some[0]?.length ?? 0); nth += 1)
      yield* some.flatMap((bodies) => bodies[nth] ?? []);
  }
}

/** The bodies of a room that so many come to, four each; it is closed behind the last of them. */
export function* largeRoom(connections: number): Generator<string> {
  const at = justNow();
  const [started = '', ...rest] = bodiesOf('two-party-call', { code: 'large-', at });
  yield started;
  for (let nth = 0; nth < connections; nth += 1) {
    const bodies = bodiesOf('two-party-call', { code: `large${nth}-`, at, room: 'large-' });
    yield* bodies.filter((body) => body.includes('"identity":"caller-'));
  }
  yield rest.at(-1) ?? '';
}

/** The event that a body is stored as. */
export function eventOf(body: string): LoggedEvent & NewEvent {
  const { event, id, createdAt, room } = JSON.parse(body) as {
    event: string;
    id: string;
    createdAt: string;
    room?: { sid: string; name: string };
  };
  return {
    seq: 0,
    source: 'default',
    eventId: id,
    kind: 'livekit',
    name: event,
    roomSid: room?.sid ?? null,
    roomName: room?.name ?? null,
    occurredAt: Number(createdAt) * 1_000,
    receivedAt: Number(createdAt) * 1_000,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    body: Buffer.from(body),
    traceparent: null,
  };
}
