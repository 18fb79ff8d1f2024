import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationProcess, killApplications } from '../support/application-process.js';
import { backlog } from '../support/backlog.js';
import { freshDatabase } from '../support/database.js';
import { testOnPostgres } from '../support/only-on.js';
import { DELIVERY_ENGINES } from '../support/private-server.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { expectAllWell } from './all-well.js';
import { auditSessions, sessionsOf, storedEvents, type StoredEvent } from './audit.js';
import { makeCall, type Random } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { isOpenBy, notRunBy, readLedger } from './ledger.js';
import { Sender } from './sender.js';

const REPLICAS = 3;
const CALLS_AT_ONCE = 8;
/** Between two webhooks of a call, milliseconds: more than the machine can do would show how it copes with that, and nothing else. */
const PACE = 100;
/** Of every handler, milliseconds. */
const LEASE = 3_000;
const isLong = process.env['TEST_LONG'] === '1';
/** In each, every replica is killed once and one is paused. */
const ROUNDS = isLong ? 30 : 1;
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
/** One by chance, but in the long run: a round takes half a minute. */
const ENGINES = isLong ? DELIVERY_ENGINES : [DELIVERY_ENGINES[SEED % DELIVERY_ENGINES.length] ?? 'database'];

beforeAll(buildHost, 120_000);
afterAll(removeHost);

testOnPostgres.each(ENGINES)(
  'three replicas over %s, each killed and one paused beyond its leases again and again, are together what a single one is',
  async (engine) => {
    const random = seededRandom(SEED);
    const hosts = await HostProcesses.onFreshDatabase({
      engine,
      lease: LEASE,
      seed: random(2 ** 31),
      env: { DATABASE_POOL_SIZE: '5' },
    });
    const replicas: ApplicationProcess[] = [];
    let asleep: ApplicationProcess | undefined;
    let next = 0;
    // As a load balancer does: in turn to those that are there.
    const awake = () => replicas.filter((one) => one.alive && one.url !== '' && one !== asleep);
    const sender = new Sender(() => (awake()[next++ % awake().length] as ApplicationProcess).url);
    let stopped = false;
    const start = performance.now();
    try {
      // The first makes the host's own table.
      for (let one = 0; one < REPLICAS; one += 1) replicas.push(await hosts.start());
      const calling = Promise.all(
        Array.from({ length: CALLS_AT_ONCE }, () => makeCalls(sender, random, () => stopped)),
      );
      for (let round = 0; round < ROUNDS; round += 1) {
        for (let victim = 0; victim < REPLICAS; victim += 1) {
          await acknowledgements(sender, 20);
          const one = replicas[victim] as ApplicationProcess;
          await until('it to be at work', () => readLedger(hosts.folder).some(isOpenBy(one)));
          await one.kill();
          await acknowledgements(sender, 20);
          replicas[victim] = await hosts.start();
        }
        const sleeper = (asleep = replicas[round % REPLICAS] as ApplicationProcess);
        await until('it to be at work', () => readLedger(hosts.folder).some(isOpenBy(sleeper)));
        sleeper.pause();
        const cut = readLedger(hosts.folder).filter(isOpenBy(sleeper));
        await until(
          'others to run what was its',
          () => awake().reduce((left, other) => notRunBy(other, left, hosts.folder), cut).length === 0,
          60_000, // what a transaction of its has locked is free again after 10 s
        );
        sleeper.resume();
        asleep = undefined;
        await until('it to go on', () => !readLedger(hosts.folder).some(isOpenBy(sleeper, cut)));
      }
      stopped = true;
      await calling;
      await sender.sendWhatIsLeft();
      await expectAllWell(hosts, sender, ROUNDS);
      await auditSessions(replicas[0] as ApplicationProcess, hosts.databaseUrl);
      expect(sender.answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
      const sessions = await comparable(replicas[1] as ApplicationProcess);
      for (const one of replicas) expect(await one.stop()).toEqual({ code: 0, signal: null });
      expect(sessions).toEqual(await sessionsOfOne(await storedEvents(hosts.databaseUrl)));
    } finally {
      stopped = true;
      const seconds = ((performance.now() - start) / 1_000).toFixed(0);
      process.stdout.write(
        `${REPLICAS} replicas over ${engine} (TEST_SEED=${SEED}): ${ROUNDS * REPLICAS} kills and ${ROUNDS} pauses in ${seconds} s, ` +
          `${sender.acknowledged.length} events answered 200\n`,
      );
      sender.close();
      await hosts.remove();
    }
  },
  ROUNDS * 180_000,
);

/** Sends call after call, each webhook of a call when the one before it was taken, as LiveKit does. */
async function makeCalls(sender: Sender, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (const event of makeCall(random)) {
      while ((await sender.send(event))?.status !== 200 && !isOver()) await delay(PACE);
      await delay(PACE);
    }
  }
}

async function acknowledgements(sender: Sender, more: number): Promise<void> {
  const enough = sender.acknowledged.length + more;
  await until('acknowledgements', () => sender.acknowledged.length >= enough);
}

/** The sessions of a single process that is sent the same events. */
async function sessionsOfOne(events: readonly StoredEvent[]): Promise<object[]> {
  const database = await freshDatabase();
  let single: ApplicationProcess;
  const sender = new Sender(() => single.url);
  try {
    single = await ApplicationProcess.start(database.url);
    await sender.sendAll(
      events.map(({ event_id: id, body }) => ({ id, body })),
      16,
    );
    await sender.sendWhatIsLeft();
    await until('its sessions', async () => (await backlog(database.url)) === 0);
    return await comparable(single);
  } finally {
    sender.close();
    await killApplications();
    await database.drop();
  }
}

// How many steps it took to get there, and whether its grace is over by now, is another matter.
const comparable = async (application: ApplicationProcess) =>
  (await sessionsOf(application))
    .map(({ revision: _, state, ...session }) => ({ ...session, isActive: state === 'active' }))
    .sort((a, b) => (a.roomSid < b.roomSid ? -1 : 1));
