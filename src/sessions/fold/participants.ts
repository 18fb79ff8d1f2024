import type { ConnectionFact, Departure } from '../facts/facts.js';
import { MIGRATION, SIP_FIELDS } from '../facts/protojson.js';
import { countedKind, least } from './presence.js';

/** What is known of a telephone call from LiveKit's `sip.*` attributes (`livekit/sip`). */
export interface FoldedSipCall {
  callId: string | null;
  from: string | null;
  to: string | null;
  trunkId: string | null;
  ruleId: string | null;
  status: string | null;
  /** Only an inbound call has a dispatch rule. */
  direction: 'inbound' | 'outbound';
}

/** A participant of a session, with all connections. Times are UTC milliseconds, `null` if unknown. */
export interface FoldedParticipant {
  identity: string;
  name: string | null;
  /** Unknown while only their tracks have been reported. */
  kind: string | null;
  /** Those that the host asks for. */
  attributes: Record<string, string>;
  sip: FoldedSipCall | null;
  connections: FoldedConnection[];
}

/** One connection: from a join to its leave. */
export interface FoldedConnection {
  participantSid: string;
  /** As what it counts: who comes again may come as another, by telephone say. */
  kind: string | null;
  joinedAt: number | null;
  leftAt: number | null;
  reason: string | null;
  /** Which of its times nobody reported: it had joined, or left, by then. */
  inferred: ('joinedAt' | 'leftAt')[];
}

/** Groups connections by identity, the earliest first. `endedAt` is the end of their session, once it has ended. */
export function foldParticipants(
  connections: readonly ConnectionFact[],
  endedAt: number | null,
): FoldedParticipant[] {
  const byIdentity = new Map<string, ConnectionFact[]>();
  for (const connection of connections.toSorted(byJoin)) {
    const identity = identityOf(connection);
    const others = byIdentity.get(identity);
    if (others === undefined) byIdentity.set(identity, [connection]);
    else others.push(connection);
  }
  return [...byIdentity].map(([identity, theirs]) => foldParticipant(identity, theirs, endedAt));
}

function foldParticipant(
  identity: string,
  connections: readonly ConnectionFact[],
  endedAt: number | null,
): FoldedParticipant {
  const attributes = latest(connections, (connection) => connection.attributes?.value) ?? {};
  const kind = latest(connections, (connection) => connection.kind) ?? null;
  return {
    identity,
    name: latest(connections, (connection) => connection.name?.value) ?? null,
    kind,
    attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => !SIP_FIELDS.has(name))),
    sip: kind === 'sip' ? sipCallOf(attributes) : null,
    connections: connections.map((connection, nth) =>
      foldConnection(connection, kind, endedAt, replacedAt(connections, nth)),
    ),
  };
}

/**
 * @param kind its participant's, for one that is known by its tracks alone.
 * @param replaced when another connection of the same identity came.
 */
function foldConnection(
  connection: ConnectionFact,
  kind: string | null,
  endedAt: number | null,
  replaced: number | null,
): FoldedConnection {
  const { participantSid, joinedAt: toldJoin, seenAt } = connection;
  const leave = leaveOf(connection);
  const joinedAt = toldJoin ?? seenAt;
  const leftAt = leave?.at ?? least([endedAt, replaced].filter((at) => at !== null));
  const inferred: FoldedConnection['inferred'] = [];
  if (toldJoin === null && joinedAt !== null) inferred.push('joinedAt');
  if (leftAt !== null && (leave === null || (leave.inferred && !hasMoved(leave, replaced)))) {
    inferred.push('leftAt');
  }
  return {
    participantSid,
    kind: connection.kind ?? kind,
    joinedAt,
    // A leave is reported in whole seconds, and may seem to come before its join.
    leftAt: leftAt === null ? null : Math.max(leftAt, joinedAt ?? leftAt),
    reason: leave?.reason ?? null,
    inferred,
  };
}

/**
 * How a connection has ended, by its own events: with a leave, or as a failed attempt, whatever its tracks have shown. An
 * inferred leave, and a failed attempt of one that had joined, hold until something is reported that happened later.
 */
export function leaveOf({ joinedAt, lastSeenAt, leave, abort }: Ends): Departure | null {
  const holds = ({ at, reason }: Departure): boolean =>
    // Webhooks have whole seconds, and a connection that moves to another server is there within one.
    lastSeenAt === null || lastSeenAt < at || (lastSeenAt === at && reason !== MIGRATION);
  if (leave !== null && (!leave.inferred || holds(leave))) return leave;
  return abort !== null && (joinedAt === null || holds(abort)) ? abort : null;
}

/** How soon after a move that is told in whole seconds the other connection comes that it has led to, milliseconds. */
const MOVED_WITHIN = 2_000;

/** Whether a `MIGRATION` was an end: its client came back at once, with another connection. */
const hasMoved = ({ at, reason }: Departure, replaced: number | null): boolean =>
  reason === MIGRATION && replaced !== null && replaced < at + MOVED_WITHIN;

type Ends = Pick<ConnectionFact, 'joinedAt' | 'lastSeenAt' | 'leave' | 'abort'>;

/**
 * When the next connection of the same identity came, `null` when none did: LiveKit closes the one before
 * (`DUPLICATE_IDENTITY`). Of one whose join was not reported, only the second in which it was first seen is known.
 */
function replacedAt(connections: readonly ConnectionFact[], nth: number): number | null {
  const { joinedAt, seenAt } = connections[nth] as ConnectionFact;
  const after = joinedAt ?? (seenAt ?? 0) + 1_000;
  for (let later = nth + 1; later < connections.length; later += 1) {
    const at = connections[later]?.joinedAt ?? null;
    if (at !== null && at >= after) return at;
  }
  return null;
}

/** A telephone call as its `sip.*` attributes describe it. */
function sipCallOf(attributes: Readonly<Record<string, string>>): FoldedSipCall {
  const field = (name: string): string | null => attributes[`sip.${name}`] ?? null;
  const inbound = field('ruleID') !== null;
  const [remote, ours] = [field('phoneNumber'), field('trunkPhoneNumber')];
  return {
    callId: field('callID'),
    from: inbound ? remote : ours,
    to: inbound ? ours : remote,
    trunkId: field('trunkID'),
    ruleId: field('ruleID'),
    status: field('callStatus'),
    direction: inbound ? 'inbound' : 'outbound',
  };
}

/** Whether a connection counts in the figures of its session. */
export const counts = ({ kind }: Pick<FoldedConnection, 'kind'>): boolean => countedKind(kind) !== null;

/** Whose connection it is; until an event has said so, its own sid stands in. */
const identityOf = ({ identity, participantSid }: ConnectionFact): string => identity ?? participantSid;

const byJoin = (a: ConnectionFact, b: ConnectionFact): number =>
  timeOf(a) - timeOf(b) || (identityOf(a) + a.participantSid < identityOf(b) + b.participantSid ? -1 : 1);

const timeOf = ({ joinedAt, seenAt, leave }: ConnectionFact): number =>
  joinedAt ?? seenAt ?? leave?.at ?? Number.MAX_SAFE_INTEGER;

/** The value of the latest connection that has one. */
const latest = <T>(
  connections: readonly ConnectionFact[],
  told: (connection: ConnectionFact) => T | null | undefined,
): T | undefined => connections.map(told).findLast((value) => value != null) ?? undefined;
