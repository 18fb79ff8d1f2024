import type { ConnectionFact } from './facts.js';

/** What is known of a telephone call from LiveKit's `sip.*` attributes (`livekit/sip`). */
export interface FoldedSipCall {
  callId: string | null;
  from: string | null;
  to: string | null;
  trunkId: string | null;
  ruleId: string | null;
  status: string | null;
  /** Only a call that came in has a dispatch rule. */
  direction: 'inbound' | 'outbound';
}

/** Somebody in a session, and all of their connections. Times are UTC milliseconds, `null` is not known. */
export interface FoldedParticipant {
  identity: string;
  name: string | null;
  kind: string;
  /** Without `sip.*`. */
  attributes: Record<string, string>;
  sip: FoldedSipCall | null;
  connections: FoldedConnection[];
}

/** One connection: from a join to its leave. */
export interface FoldedConnection {
  participantSid: string;
  joinedAt: number | null;
  leftAt: number | null;
  reason: string | null;
}

/** Groups connections by identity, the earliest first. */
export function foldParticipants(connections: readonly ConnectionFact[]): FoldedParticipant[] {
  const byIdentity = new Map<string, ConnectionFact[]>();
  for (const connection of connections.toSorted(byJoin)) {
    const identity = identityOf(connection);
    const others = byIdentity.get(identity);
    if (others === undefined) byIdentity.set(identity, [connection]);
    else others.push(connection);
  }
  return [...byIdentity].map(([identity, theirs]) => foldParticipant(identity, theirs));
}

function foldParticipant(identity: string, connections: readonly ConnectionFact[]): FoldedParticipant {
  const attributes = latest(connections, (connection) => connection.attributes?.value) ?? {};
  const kind = latest(connections, (connection) => connection.kind) ?? 'standard';
  return {
    identity,
    name: latest(connections, (connection) => connection.name?.value) ?? null,
    kind,
    attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => !name.startsWith('sip.'))),
    sip: kind === 'sip' ? sipCallOf(attributes) : null,
    connections: connections.map(foldConnection),
  };
}

const foldConnection = ({ participantSid, joinedAt, leave }: ConnectionFact): FoldedConnection => ({
  participantSid,
  joinedAt,
  // A leave is told in whole seconds, and may seem to come before its join.
  leftAt: leave && Math.max(leave.at, joinedAt ?? leave.at),
  reason: leave?.reason ?? null,
});

/** A telephone call as `sip.*` attributes tell it. */
export function sipCallOf(attributes: Readonly<Record<string, string>>): FoldedSipCall {
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

/** Whom a connection belongs to; until an event has told, it stands for itself. */
export const identityOf = ({ identity, participantSid }: ConnectionFact): string =>
  identity ?? participantSid;

const byJoin = (a: ConnectionFact, b: ConnectionFact): number =>
  timeOf(a) - timeOf(b) || (identityOf(a) + a.participantSid < identityOf(b) + b.participantSid ? -1 : 1);

const timeOf = ({ joinedAt, leave }: ConnectionFact): number =>
  joinedAt ?? leave?.at ?? Number.MAX_SAFE_INTEGER;

/** What the latest connection that says anything says. */
const latest = <T>(
  connections: readonly ConnectionFact[],
  told: (connection: ConnectionFact) => T | null | undefined,
): T | undefined => connections.map(told).findLast((value) => value != null) ?? undefined;
