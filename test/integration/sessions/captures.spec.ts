import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionEvent } from '../../../src/sessions/events/session-events.js';
import type { Session } from '../../../src/sessions/session.js';
import { chunks, inRoomOrder } from '../../support/batches.js';
import { type CapturedDelivery, deliveries, scenarios } from '../../support/captures.js';
import { freshDatabase, sqlQuery } from '../../support/database.js';
import { seededRandom } from '../../support/random.js';
import { bootReceiver } from '../../support/receiver.js';

/** What a scenario must be told as: `expectations/README.md`. */
interface Expectation {
  why: Record<string, string>;
  sessions: { events: string[]; session: Omit<Session, 'revision'> }[];
}

/** What was made of deliveries. */
interface Outcome {
  /** By the sid of their room. */
  sessions: Map<string, Session>;
  /** Of each room, in the order of the log. */
  events: Map<string, SessionEvent[]>;
}

const FOLDER = join('test', 'integration', 'sessions', 'captured-sessions');
const ADMIN_TOKEN = 'an-admin-token-for-tests';

const expectations = new Map(
  scenarios().map((scenario) => [
    scenario,
    JSON.parse(readFileSync(join(FOLDER, `${scenario}.json`), 'utf8')) as Expectation,
  ]),
);
const recorded = scenarios()
  .flatMap((scenario) => deliveries(scenario))
  .toSorted((a, b) => (a.receivedAt < b.receivedAt ? -1 : 1));
const random = seededRandom(6);

const FIRST = recorded[0]?.receivedAt as string;
const A_WEEK_LATER = new Date(Date.parse(FIRST) + 7 * 24 * 3_600_000).toISOString();

describe.each([
  ['in the order they were recorded', FIRST],
  ['in that order, a week later', A_WEEK_LATER],
])('%s', (_, at) => {
  const outcome = playing(() => inRoomOrder(recorded, roomOf), [], at);

  test.each(scenarios())('%s is told as it was', (scenario) => sameSessions(outcome(), scenario));

  test.each(scenarios())('%s causes its events, each once, in their order', (scenario) => {
    for (const { session, events } of expected(scenario)) {
      expect(toldOf(outcome(), session.roomSid)).toEqual(events);
    }
  });

  test('no other session is told', () => {
    const known = [...expectations.values()].flatMap(({ sessions }) =>
      sessions.map(({ session }) => session),
    );
    expect([...outcome().sessions.keys()].toSorted()).toEqual(known.map(({ roomSid }) => roomSid).toSorted());
  });
});

describe.each<[how: string, batches: () => CapturedDelivery[][], settlesAt?: readonly number[]]>([
  ['in reverse', () => inRoomOrder(recorded, roomOf).toReversed()],
  ['in any order and with repeats', () => chunks(shuffled([...recorded, ...some(recorded)]))],
  [
    'in any order and with repeats, and settle in between',
    () => chunks(shuffled([...recorded, ...some(recorded)])),
    [0.3, 0.6, 0.8, 0.9],
  ],
])('%s', (_, batches, settlesAt = []) => {
  const outcome = playing(batches, settlesAt);

  test.each(scenarios())('%s is told as it was, and each event once', (scenario) => {
    sameSessions(outcome(), scenario);
    for (const { session, events } of expected(scenario)) {
      const told = toldOf(outcome(), session.roomSid);
      // What was settled in between is corrected by what comes after it, and may then settle again; a leave
      // that was inferred, and refuted, is told again.
      const isOnce = (event: string) =>
        settlesAt.length === 0 || !/^(?:ended$|corrected$|settled$|left )/.test(event);
      const isLeave = (event: string) => event.startsWith('left ');
      const times = (name: string) => told.filter((event) => event === name).length;
      expect(times('settled')).toBeLessThanOrEqual(1 + times('corrected'));
      expect(times('settled') > 0).toBe(events.includes('settled'));
      expect(told.filter(isOnce).toSorted()).toEqual(events.filter(isOnce).toSorted());
      expect(new Set(told.filter(isLeave))).toEqual(new Set(events.filter(isLeave)));
      expect(told.filter(isLeave).length).toBeGreaterThanOrEqual(events.filter(isLeave).length);
      expect(told[0]).toBe('started');
      if (session.state === 'settled')
        expect(lastTold(outcome(), session)).toEqual(listed(outcome(), session));
    }
  });
});

const expected = (scenario: string): Expectation['sessions'] =>
  (expectations.get(scenario) as Expectation).sessions;

function sameSessions({ sessions }: Outcome, scenario: string): void {
  for (const { session } of expected(scenario)) {
    const { revision, ...told } = sessions.get(session.roomSid) as Session;
    expect(told).toEqual(session);
    expect(revision).toBeGreaterThan(0);
  }
}

const listed = ({ sessions }: Outcome, { roomSid }: Pick<Session, 'roomSid'>): Session | undefined =>
  sessions.get(roomSid);

/** A session as it was settled, or corrected since. */
function lastTold({ events }: Outcome, { roomSid }: Pick<Session, 'roomSid'>): Session | null | undefined {
  const told = (events.get(roomSid) ?? []).flatMap((event) => {
    if (event.name === 'session.settled') return [event.session];
    return event.name === 'session.corrected' ? [event.after] : [];
  });
  return told.at(-1);
}

/** The events of a room in a word each: whose they are, where they are somebody's. */
const toldOf = ({ events }: Outcome, roomSid: string): string[] =>
  (events.get(roomSid) ?? []).map((event) => {
    const what = event.name.replace(/^session\.(?:participant_)?/, '');
    return 'participant' in event ? `${what} ${event.participant.identity}` : what;
  });

/**
 * Plays deliveries before the tests of a block, one batch after the other; everything has settled then.
 *
 * @param settlesAt after which parts of the batches everything settles.
 * @param at when all of them are sent: at one time, so that no room seems to have been empty for long.
 */
function playing(
  batches: () => CapturedDelivery[][],
  settlesAt: readonly number[] = [],
  at: string = FIRST,
): () => Outcome {
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    const database = await freshDatabase();
    const receiver = await bootReceiver(database.url, { adminToken: ADMIN_TOKEN });
    try {
      const all = batches();
      const stops = new Set(settlesAt.map((part) => Math.floor(all.length * part)));
      for (const [index, batch] of all.entries()) {
        const answers = await Promise.all(batch.map((delivery) => receiver.send(delivery, at)));
        expect(new Set(answers)).toEqual(new Set([200]));
        await receiver.drain();
        if (stops.has(index)) await receiver.settle();
      }
      await receiver.settle();
      outcome = { sessions: await listing(receiver.url), events: await logged(database.url) };
    } finally {
      await receiver.app.close();
      await database.drop();
    }
  }, 180_000);

  return () => outcome as Outcome;
}

const roomOf = ({ body }: CapturedDelivery): string =>
  (JSON.parse(body) as { room: { sid: string } }).room.sid;

async function listing(url: string): Promise<Map<string, Session>> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const response = await fetch(`${url}/voice/sessions?limit=200`, { headers });
  const { sessions } = (await response.json()) as { sessions: Session[] };
  return new Map(sessions.map((session) => [session.roomSid, session]));
}

async function logged(databaseUrl: string): Promise<Map<string, SessionEvent[]>> {
  const rows = await sqlQuery<{ name: string; room_sid: string; raw: Buffer }>(
    databaseUrl,
    `SELECT e.name, e.room_sid, b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq
     WHERE e.kind = 'session' ORDER BY e.seq`,
  );
  const events = new Map<string, SessionEvent[]>();
  for (const { name, room_sid: sid, raw } of rows) {
    const event = { ...JSON.parse(Buffer.from(raw).toString()), name } as SessionEvent;
    events.set(sid, [...(events.get(sid) ?? []), event]);
  }
  return events;
}

const some = <T>(all: readonly T[]): T[] => all.filter(() => random(3) === 0);

function shuffled<T>(all: readonly T[]): T[] {
  const order = [...all];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = random(last + 1);
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}
