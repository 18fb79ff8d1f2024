import { holds, mentions } from '../../event-log/retention/mentions.js';
import type { ConnectionFact, EgressFact, RoomFact, RoomFacts } from './facts.js';

/** Attributes of a telephone call that identify nobody: with them, an inbound call stays inbound. */
const NOBODYS = new Set(['sip.ruleID', 'sip.trunkID', 'sip.callStatus']);

/** The facts of a room without what identifies this person: times, reasons and kinds stay, and so do the figures. */
export const withoutIdentity = (
  { room, connections, egresses }: RoomFacts,
  identity: string,
  pseudonym: string,
): RoomFacts => ({
  room: tellsOf(room, identity) ? { ...room, description: describedAs(room, {}) } : room,
  connections: connections.map((connection) =>
    connection.identity === identity
      ? anonymous(connection, pseudonym)
      : withoutMentions(connection, identity),
  ),
  egresses: egresses.map((egress) =>
    // Even within a path.
    holds(Buffer.from(JSON.stringify(egress.report)), identity) ? placeless(egress) : egress,
  ),
});

/** The facts of a room without its name, the host's metadata, and where its files are. */
export const withoutRoom = ({ room, connections, egresses }: RoomFacts, pseudonym: string): RoomFacts => ({
  room: nameless(room, pseudonym),
  connections,
  egresses: egresses.map(placeless),
});

/** A connection without what identifies its participant. */
export const anonymous = (connection: ConnectionFact, pseudonym: string): ConnectionFact => ({
  ...connection,
  identity: pseudonym,
  name: null,
  attributes: nobodys(connection),
});

/** A room without its name and the host's metadata. */
export const nameless = (room: RoomFact, pseudonym: string): RoomFact => ({
  ...room,
  roomName: pseudonym,
  description: describedAs(room, { name: pseudonym }),
});

/** An egress without where its files are: a path may contain any name. */
const placeless = ({ report, ...egress }: EgressFact): EgressFact => ({
  ...egress,
  report: {
    ...report,
    error: null,
    files: report.files.map((file) => ({ ...file, filename: null, location: null })),
    segments: report.segments.map((segments) => ({ ...segments, playlist: null, location: null })),
    streams: report.streams.map((stream) => ({ ...stream, error: null })),
  },
});

function describedAs({ description }: RoomFact, changes: object): RoomFact['description'] {
  if (description === null) return null;
  const { metadata: _, ...room } = description.room as { metadata?: unknown };
  return { ...description, room: { ...room, ...changes } };
}

function tellsOf({ description }: RoomFact, identity: string): boolean {
  const { metadata = '' } = (description?.room ?? {}) as { metadata?: unknown };
  return String(metadata).includes(identity) || mentions(Buffer.from(String(metadata)), identity);
}

/** Whether a value, as JSON, mentions somebody anywhere. */
export const tells = (value: unknown, identity: string): boolean =>
  mentions(Buffer.from(JSON.stringify(value)), identity);

// Somebody else's attributes may mention them: an agent's its caller, perhaps.
function withoutMentions(connection: ConnectionFact, identity: string): ConnectionFact {
  const told = Object.entries(connection.attributes?.value ?? {});
  const kept = told.filter(([, value]) => !tells(value, identity));
  return kept.length === told.length ? connection : { ...connection, attributes: having(connection, kept) };
}

const nobodys = (connection: ConnectionFact): ConnectionFact['attributes'] =>
  having(
    connection,
    Object.entries(connection.attributes?.value ?? {}).filter(([name]) => NOBODYS.has(name)),
  );

const having = (
  { attributes }: ConnectionFact,
  kept: [name: string, value: string][],
): ConnectionFact['attributes'] => attributes && { ...attributes, value: Object.fromEntries(kept) };
