import fc from 'fast-check';
import type { SessionEvent } from '../../../src/sessions/events/session-events.js';
import type { Session } from '../../../src/sessions/session.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { LONG } from '../../property/sessions/arbitraries.js';
import { histories, roomSidOf, type Webhook } from '../../property/sessions/model.js';
import { settledSessions } from '../../property/sessions/settled.js';
import { chunks, inRoomOrder } from '../../support/batches.js';
import type { CapturedDelivery } from '../../support/captures.js';
import { freshDatabase, sqlQuery } from '../../support/database.js';
import { bootReceiver } from '../../support/receiver.js';

/** Histories that are told to one receiver, all at once. */
const TOGETHER = 12;

const RUNS = { numRuns: process.env['TEST_LONG'] === undefined ? 1 : 40, endOnFailure: true };

/** What was made of webhooks. */
interface Outcome {
  sessions: Session[];
  events: SessionEvent[];
}

/** Webhooks of several histories that have nothing in common, as they are sent one after the other. */
const told = fc
  .array(histories({ crashes: true, reopens: true }), { minLength: TOGETHER, maxLength: TOGETHER })
  .map((some) => some.map(({ webhooks }, nth) => apart(webhooks, nth)));

const inOrder = told.map((some) => some.flat().toSorted((a, b) => Number(a.createdAt) - Number(b.createdAt)));
const shuffled = told.chain((some) => {
  const all = some.flat();
  return fc
    .subarray(all)
    .chain((again) => fc.shuffledSubarray([...all, ...again], { minLength: all.length + again.length }));
});

describe('the sessions of any history of calls, kept', () => {
  test(
    'are what its facts make, and what their events have told, when it comes in order',
    () =>
      fc.assert(
        fc.asyncProperty(inOrder, async (webhooks) => {
          const outcome = await kept(inRoomOrder(webhooks, roomSidOf), []);
          sameAsFacts(outcome, webhooks);
          eachEventOnce(outcome);
          for (const session of outcome.sessions) sameAsTold(session, applied(outcome.events, session));
        }),
        RUNS,
      ),
    LONG,
  );

  test(
    'are so in any order and with repeats, and where they settle in between',
    () =>
      fc.assert(
        fc.asyncProperty(shuffled, async (webhooks) => {
          const outcome = await kept(chunks(webhooks), [0.4, 0.7, 0.9]);
          sameAsFacts(outcome, webhooks);
          eachEventOnce(outcome);
          for (const session of outcome.sessions.filter(({ state }) => state === 'settled')) {
            expect(applied(outcome.events, session)).toEqual(session);
          }
        }),
        RUNS,
      ),
    LONG,
  );
});

function sameAsFacts({ sessions }: Outcome, webhooks: readonly Webhook[]): void {
  const comparable = (some: readonly Session[]) =>
    some
      .map(({ revision: _, ...session }) => ({ ...session, recordings: session.recordings.toSorted(byId) }))
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  expect(comparable(sessions)).toEqual(comparable(settledSessions(webhooks)));
}

const isInferredLeave = (event: SessionEvent): boolean =>
  event.name === 'session.participant_left' && event.participant.connection.inferred.includes('leftAt');

/** Each connection is told once to have come and once to have gone; what is settled twice was corrected in between. */
function eachEventOnce({ sessions, events }: Outcome): void {
  for (const session of sessions) {
    const its = events.filter((event) => isOf(event, session));
    const names = its.map(({ name }) => name);
    expect(names[0]).toBe('session.started');
    expect(names.filter((name) => name === 'session.started')).toHaveLength(1);
    const finals = names.filter((name) => name === 'session.settled' || name === 'session.corrected');
    finals.forEach((name, nth) => name === 'session.settled' && expect(finals[nth - 1]).not.toBe(name));
    if (session.state === 'settled') expect(finals).toContain('session.settled');
  }
  // In whichever session of its room: an end that comes late divides one.
  expect(events.map(movementOf)).toEqual(expect.arrayContaining(sessions.flatMap(movementsOf)));
  const movements = events
    .filter((event) => !isInferredLeave(event)) // refuted, it is told again when it is told
    .map(movementOf)
    .filter((movement) => movement !== null);
  expect(new Set(movements).size).toBe(movements.length);
}

/** What a listener knows who takes over whatever it is told. */
function applied(events: readonly SessionEvent[], of: Session): Session | null {
  return events
    .filter((event) => isOf(event, of))
    .reduce<Session | null>((known, event) => {
      if (event.name === 'session.corrected') return event.after;
      if (event.name === 'session.expired') return known;
      if (!('participant' in event)) return event.session;
      const { connection, ...participant } = event.participant;
      const { participants = [], recordings = [] } = known ?? {};
      const others = participants.flatMap((one) =>
        one.identity === participant.identity ? one.connections : [],
      );
      const connections = [
        ...others.filter((one) => one.participantSid !== connection.participantSid),
        connection,
      ];
      const rest = participants.filter(({ identity }) => identity !== participant.identity);
      return { ...event.session, recordings, participants: [...rest, { ...participant, connections }] };
    }, null);
}

/** Nothing is told of recordings before they are final, nor of who does not count. */
function sameAsTold(session: Session, known: Session | null): void {
  if (session.state === 'settled') return expect(known).toEqual(session);
  const comparable = ({ recordings: _, revision: __, participants, ...rest }: Session) => ({
    ...rest,
    inferred: rest.inferred.filter((field) => field !== 'recordings'),
    connections: participants
      .filter(({ kind }) => kind !== 'egress' && kind !== 'ingress')
      .flatMap(({ identity, connections }) => connections.map((one) => ({ identity, ...one })))
      .toSorted((a, b) => (a.participantSid < b.participantSid ? -1 : 1)),
  });
  expect(comparable(known as Session)).toEqual(comparable(session));
}

const subjectOf = (event: SessionEvent): Pick<Session, 'roomSid' | 'segment'> | null => {
  if (event.name === 'session.expired') return null;
  return event.name === 'session.corrected' ? event.before : event.session;
};
const isOf = (event: SessionEvent, { roomSid, segment }: Session): boolean =>
  subjectOf(event)?.roomSid === roomSid && subjectOf(event)?.segment === segment;

const movementOf = (event: SessionEvent): string | null =>
  'participant' in event ? `${event.name} ${event.participant.connection.participantSid}` : null;

const movementsOf = ({ participants }: Session): string[] =>
  participants
    .filter(({ kind }) => kind !== 'egress' && kind !== 'ingress')
    .flatMap(({ connections }) => connections)
    .flatMap(({ participantSid, leftAt }) => [
      `session.participant_joined ${participantSid}`,
      ...(leftAt === null ? [] : [`session.participant_left ${participantSid}`]),
    ]);

const keyOf = ({ roomSid, segment }: Pick<Session, 'roomSid' | 'segment'>): string => `${roomSid}/${segment}`;
const byId = (a: { egressId: string | null }, b: { egressId: string | null }): number =>
  (a.egressId ?? '') < (b.egressId ?? '') ? -1 : 1;

const apart = (webhooks: readonly Webhook[], nth: number): Webhook[] =>
  JSON.parse(JSON.stringify(webhooks).replaceAll(/"(RM|PA|EG|EV)_(?=\d)/g, `"$1_${nth}x`)) as Webhook[];

const deliveryOf = (webhook: Webhook, receivedAt: string): CapturedDelivery => ({
  receivedAt,
  method: 'POST',
  path: '/voice/livekit/webhooks',
  headers: [['Content-Type', 'application/webhook+json']],
  body: JSON.stringify(webhook),
  answered: 200,
});

/** @param settlesAt after which parts of the batches everything settles. */
async function kept(batches: readonly Webhook[][], settlesAt: readonly number[]): Promise<Outcome> {
  const database = await freshDatabase();
  const receiver = await bootReceiver(database.url);
  const stops = new Set(settlesAt.map((part) => Math.floor(batches.length * part)));
  const at = '2026-11-23T08:37:00.000Z'; // all at one time: no room seems to have been empty for long
  try {
    for (const [index, batch] of batches.entries()) {
      const answers = await Promise.all(batch.map((webhook) => receiver.send(deliveryOf(webhook, at))));
      expect(new Set(answers)).toEqual(new Set([200]));
      await receiver.drain();
      if (stops.has(index)) await receiver.settle();
    }
    await receiver.settle();
    const { sessions } = await receiver.app.get(SessionsService).list({ limit: 200 });
    return { sessions, events: await logged(database.url) };
  } finally {
    await receiver.app.close();
    await database.drop();
  }
}

async function logged(databaseUrl: string): Promise<SessionEvent[]> {
  const rows = await sqlQuery<{ name: string; raw: Buffer }>(
    databaseUrl,
    `SELECT e.name, b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq
     WHERE e.kind = 'session' ORDER BY e.seq`,
  );
  return rows.map(({ name, raw }) => ({ ...JSON.parse(Buffer.from(raw).toString()), name }) as SessionEvent);
}
