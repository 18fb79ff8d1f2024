import { randomUUID } from 'node:crypto';

/** A webhook to send: the bytes are what counts. */
export interface CallEvent {
  id: string;
  body: Buffer;
}

/** The fields of a body that these tests put there. */
export interface CallBody {
  event: 'room_started' | 'participant_joined' | 'participant_left' | 'room_finished';
  id: string;
  createdAt: string;
  room: { sid: string; name: string; creationTimeMs: string };
  participant?: { sid: string; identity: string; joinedAtMs: string; disconnectReason?: string };
}

/** Gives whole numbers from 0 to `below`, which is left out. */
export type Random = (below: number) => number;

const NAMES = ['Caller', 'Support agent', 'Zoë "Z" O\'Brien', '山田太郎', 'Ünïcødé 🎧', 'back\\slash'];
const REASONS = ['CLIENT_INITIATED', 'PARTICIPANT_REMOVED', 'ROOM_DELETED', 'CONNECTION_TIMEOUT'];

/** The webhooks of a call: its room, one to three participants who may come twice, and the room's end. */
export function makeCall(random: Random): CallEvent[] {
  const opened = Date.now() - 60_000 + random(10_000);
  const room = {
    sid: `RM_${shortId()}`,
    name: `call-${shortId()}`,
    emptyTimeout: 300,
    departureTimeout: 20,
    creationTime: seconds(opened),
    creationTimeMs: String(opened),
    turnPassword: randomUUID(),
    enabledCodecs: [{ mime: 'audio/PCMU' }, { mime: 'audio/opus' }, { mime: 'video/VP8' }],
  };
  const events = [webhook(random, 'room_started', room, opened)];
  const leaves: CallEvent[] = [];
  for (let n = 0; n <= random(3); n += 1) {
    const identity = `participant-${n}-${shortId()}`;
    for (let connection = 0; connection <= random(2); connection += 1) {
      const joined = opened + 200 + 4_000 * connection + random(2_000);
      const participant = participantOf(random, identity, joined);
      events.push(webhook(random, 'participant_joined', room, joined, { ...participant, state: 'ACTIVE' }));
      const departure = { state: 'DISCONNECTED', disconnectReason: REASONS[random(REASONS.length)] };
      leaves.push(
        webhook(random, 'participant_left', room, joined + random(2_000), { ...participant, ...departure }),
      );
    }
  }
  return [...events, ...leaves, webhook(random, 'room_finished', room, opened + 30_000)];
}

/** Gives the webhooks of one call after the other, without an end. */
export function callEvents(random: Random): () => CallEvent {
  let left: CallEvent[] = [];
  return () => {
    if (left.length === 0) left = makeCall(random);
    return left.shift() as CallEvent;
  };
}

/** The webhooks of many calls at once, some of them twice. */
export const callsAtOnce = (random: Random, calls: number): CallEvent[] =>
  interleave(
    random,
    Array.from({ length: calls }, () => makeCall(random)),
  ).flatMap((event) => (random(7) === 0 ? [event, event] : [event]));

/** The webhooks of calls that run at the same time: each call's in their order, one call's between another's. */
function interleave(random: Random, calls: readonly CallEvent[][]): CallEvent[] {
  const left = calls.map((events) => [...events]);
  const mixed: CallEvent[] = [];
  while (left.length > 0) {
    const index = random(left.length);
    const event = left[index]?.shift();
    if (event === undefined) left.splice(index, 1);
    else mixed.push(event);
  }
  return mixed;
}

function participantOf(random: Random, identity: string, joined: number) {
  return {
    sid: `PA_${shortId()}`,
    identity,
    metadata: 'm'.repeat(random(20) === 0 ? 20_000 : random(200)),
    joinedAt: seconds(joined),
    joinedAtMs: String(joined),
    name: NAMES[random(NAMES.length)],
    version: 2 + random(5),
    permission: { canSubscribe: true, canPublish: true, canPublishData: true },
    ...(random(3) === 0 && { kind: 'AGENT' }),
    clientProtocol: 2,
  };
}

function webhook(
  random: Random,
  event: CallBody['event'],
  room: object,
  at: number,
  participant?: object,
): CallEvent {
  const id = `EV_${shortId()}`;
  const json = JSON.stringify({
    event,
    room,
    ...(participant && { participant }),
    id,
    createdAt: seconds(at),
  });
  // Go's protojson puts spaces in at random, so that nobody relies on its bytes.
  return { id, body: Buffer.from(random(2) === 0 ? json : json.replaceAll(',"', ', "')) };
}

const seconds = (milliseconds: number): string => String(Math.floor(milliseconds / 1_000));

const shortId = (): string => randomUUID().slice(-12);
