import type { Session, SessionConnection } from '../../src/sessions/session.js';
import type { Attendance, CallTruth } from './call.js';

/** Milliseconds between a client's clock and LiveKit's word, which tells of leaves in whole seconds. */
const JOIN_TOLERANCE = 1_000;
const LEAVE_TOLERANCE = 1_500;

/**
 * Where a session says something else than what the clients of its call did: a line for each.
 * A time that it calls inferred need not be exact, and neither are the figures that depend on it.
 */
export function disagreements(session: Session, call: CallTruth): string[] {
  const lines: string[] = [];
  const compare = (what: string, told: unknown, truth: unknown): void => {
    if (told !== truth) lines.push(`${what}: told ${String(told)}, and it was ${String(truth)}`);
  };
  compare('roomSid', session.roomSid, call.roomSid);
  compare('roomName', session.roomName, call.roomName);
  compare('sessionId', session.sessionId, call.roomName);
  compare('it is over', session.state !== 'active', call.over);
  compare('it has an end', session.endedAt !== null, call.over);
  if (call.over) compare('disposition', session.disposition, 'completed');

  const told = connectionsOf(session);
  for (const { participantSid } of told) {
    if (!call.attendances.some((one) => one.participantSid === participantSid))
      lines.push(`${participantSid}: nobody was ever that`);
  }
  for (const attendance of call.attendances) {
    const connection = told.find(({ participantSid }) => participantSid === attendance.participantSid);
    if (connection === undefined) lines.push(`${attendance.identity}: not told of`);
    else lines.push(...connectionDisagreements(attendance, connection, infers(session, /left/i)));
  }
  if (session.inferred.length === 0) lines.push(...figureDisagreements(session, call));
  return lines;
}

/** Whether a session calls something of this name inferred. */
export const infers = ({ inferred }: Session, name: RegExp): boolean =>
  inferred.some((what) => name.test(what));

/** A connection, and who it is of. */
type ToldConnection = SessionConnection & { identity: string; kind: string | null };

const connectionsOf = ({ participants }: Session): ToldConnection[] =>
  participants.flatMap(({ identity, kind, connections }) =>
    connections.map((connection) => ({ ...connection, identity, kind })),
  );

function connectionDisagreements(truth: Attendance, told: ToldConnection, inferred: boolean): string[] {
  const lines: string[] = [];
  const say = (what: string, is: unknown, was: unknown): void => {
    lines.push(`${what} of ${truth.identity}: told ${String(is)}, and it was ${String(was)}`);
  };
  if (told.identity !== truth.identity) say('identity', told.identity, truth.identity);
  if (told.kind !== truth.kind) say('kind', told.kind, truth.kind);
  if (!near(told.joinedAt, truth.joinedAt, JOIN_TOLERANCE))
    say('joinedAt', told.joinedAt, iso(truth.joinedAt));
  if (truth.leftAt === null) {
    if (told.leftAt !== null) say('leftAt', told.leftAt, null);
    return lines;
  }
  const exact = near(told.leftAt, truth.leftAt, LEAVE_TOLERANCE);
  const reasons = inferred ? [null, 'CLIENT_INITIATED'] : ['CLIENT_INITIATED'];
  if (!exact && !(inferred && told.leftAt !== null)) say('leftAt', told.leftAt, iso(truth.leftAt));
  if (!reasons.includes(told.reason)) say('reason', told.reason, reasons[0]);
  return lines;
}

/** The figures that a bill is made of. */
function figureDisagreements(session: Session, { attendances, over }: CallTruth): string[] {
  if (!over) return [];
  const lines: string[] = [];
  const compare = (what: string, is: number | null, was: number, tolerance: number): void => {
    if (is === null || Math.abs(is - was) > tolerance / 1_000)
      lines.push(`${what}: told ${String(is)}, and it was ${was}`);
  };
  const tolerance = JOIN_TOLERANCE + LEAVE_TOLERANCE;
  const seconds = (some: Attendance[]): number =>
    some.reduce((sum, { joinedAt, leftAt }) => sum + ((leftAt ?? joinedAt) - joinedAt) / 1_000, 0);
  const first = Math.min(...attendances.map(({ joinedAt }) => joinedAt));
  const last = Math.max(...attendances.map(({ joinedAt, leftAt }) => leftAt ?? joinedAt));
  compare('durationSeconds', session.durationSeconds, (last - first) / 1_000, tolerance);
  for (const kind of ['standard', 'agent'] as const) {
    const theirs = attendances.filter((attendance) => attendance.kind === kind);
    compare(
      `seconds of ${kind}`,
      session.participantSeconds[kind],
      seconds(theirs),
      tolerance * theirs.length,
    );
  }
  compare('peakParticipants', session.peakParticipants, peak(attendances), 0);
  return lines;
}

const peak = (attendances: Attendance[]): number =>
  Math.max(
    ...attendances.map(
      ({ joinedAt: at }) =>
        attendances.filter(({ joinedAt, leftAt }) => joinedAt <= at && (leftAt ?? Infinity) > at).length,
    ),
  );

const near = (told: string | null, truth: number, tolerance: number): boolean =>
  told !== null && Math.abs(Date.parse(told) - truth) <= tolerance;

const iso = (time: number): string => new Date(time).toISOString();
