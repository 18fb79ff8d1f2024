/**
 * Boots the application, plays the webhooks of real calls at it over HTTP, and shows the resulting sessions.
 * `npm run demo`, or `npm run demo -- --keep` to leave it running.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { capturedCall, type CapturedDelivery as Delivery } from '../src/testing/captured-calls.js';
import { type RunningApplication, startApplication } from './application.js';
import { post } from './deliveries.js';
import { sessionTable, type Session } from './table.js';

const CALLS: readonly { scenario: string; what: string; arrange?: (deliveries: Delivery[]) => Delivery[] }[] =
  [
    { scenario: 'two-party-call', what: 'an agent and a caller talk, the caller hangs up' },
    { scenario: 'sip-caller', what: 'a call in from the telephone network' },
    { scenario: 'duplicate-identity', what: 'the same caller joins twice; the first connection is closed' },
    {
      scenario: 'leave-and-return',
      what: 'the caller leaves and comes back; played in REVERSE order',
      arrange: (deliveries) => deliveries.toReversed(),
    },
    { scenario: 'answer-lost', what: 'our answer never reached LiveKit, which sent two events AGAIN' },
    {
      scenario: 'receiver-refused',
      what: 'the join was LOST: another receiver had refused it',
      arrange: withoutRefused,
    },
    { scenario: 'room-deleted', what: 'the room is deleted while both are in it' },
    { scenario: 'caller-vanished', what: "the caller's process dies; LiveKit notices 23 s later" },
    { scenario: 'connection-aborted', what: 'a caller signals and never connects' },
    { scenario: 'nobody-came', what: 'a room that nobody joins' },
    { scenario: 'recording-outlives-call', what: 'the recording ends after the room' },
  ];

/** How long the sessions may take, milliseconds: a busy machine is in no hurry. */
const PATIENCE = 60_000;

function withoutRefused(deliveries: Delivery[]): Delivery[] {
  return deliveries.filter(({ answered }) => answered !== 400);
}

async function main(): Promise<void> {
  const application = await startApplication();
  try {
    console.log(`\nThe application runs at ${application.url}, on a new SQLite file.\n`);
    await play(application);
    await forge(application);
    const sessions = await settledSessions(application, CALLS.length);
    console.log('\nThe sessions, as GET /voice/sessions tells them:\n');
    console.log(sessionTable(sessions));
    await whereNext(application);
  } finally {
    await application.stop();
  }
}

async function play(application: RunningApplication): Promise<void> {
  console.log('Playing the webhooks of real LiveKit calls at it, signed as LiveKit signs them:\n');
  for (const { scenario, what, arrange = (deliveries: Delivery[]) => deliveries } of CALLS) {
    const answers = new Map<string, number>();
    for (const delivery of arrange(capturedCall(scenario).deliveries)) {
      const { status, body } = await post(application, delivery.body, application.apiSecret);
      const answer = `${status} ${body.status}`;
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    const told = [...answers].map(([answer, times]) => `${times} × ${answer}`).join(', ');
    console.log(playedLine(scenario, told, what));
  }
}

const playedLine = (scenario: string, answers: string, what: string): string =>
  `  ${scenario.padEnd(25)}${answers.padEnd(38)}${what}`;

async function forge(application: RunningApplication): Promise<void> {
  const [delivery] = capturedCall('two-party-call').deliveries as [Delivery];
  const forged = delivery.body.replace('call-1001', 'call-6666');
  const { status, body } = await post(application, forged, 'not-the-secret');
  console.log(playedLine('a forged event', `1 × ${status} ${body.status}`, 'signed with another secret'));
}

// The answer comes when an event is stored; the session follows a moment later, and settles a second after its end.
async function settledSessions(application: RunningApplication, count: number): Promise<Session[]> {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const response = await fetch(`${application.url}/voice/sessions?limit=100`, {
      headers: { authorization: `Bearer ${application.adminToken}` },
    });
    const { sessions } = (await response.json()) as { sessions: Session[] };
    if (sessions.length === count && sessions.every(({ state }) => state === 'settled')) return sessions;
    await delay(50);
  }
  throw new Error(`the sessions did not come out: see ${application.logFile}`);
}

async function whereNext({ url, adminToken, logFile, apiKey, apiSecret }: RunningApplication): Promise<void> {
  console.log(`\nIts log, a line a delivery:   ${logFile}`);
  if (!process.argv.includes('--keep')) {
    console.log('To look around in it:         npm run demo -- --keep');
    console.log('To put it before a LiveKit:   see "Setting up LiveKit" in README.md\n');
    return;
  }
  console.log(`
  curl -H 'Authorization: Bearer ${adminToken}' ${url}/voice/sessions/call-1001
  curl ${url}/metrics
  curl ${url}/health

  LiveKit may send to ${url}/voice/livekit/webhooks, signed with ${apiKey}:${apiSecret}

It runs until you press Ctrl+C.`);
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
}

await main();
