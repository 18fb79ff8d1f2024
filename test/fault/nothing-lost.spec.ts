import { randomInt } from 'node:crypto';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { freshDatabase, onPostgres } from '../support/database.js';
import { seededRandom } from '../support/random.js';
import { auditSessions, auditStore } from './audit.js';
import { callsAtOnce, type Random } from './calls.js';
import { AT_ONCE, killWhileItStarts, sendUntilKilled } from './kills.js';
import { Sender } from './sender.js';

const ROUNDS = process.env['TEST_LONG'] === '1' ? 100 : 6;
/** A store lives at most this long, so that it is killed both new and full. */
const ROUNDS_PER_STORE = Math.min(ROUNDS, 10);
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
const CALLS = 40;

interface Tally {
  acknowledged: number;
  kills: number;
  lost: number;
  doubled: number;
}

beforeAll(buildApplication, 120_000);
afterEach(killApplications);

test(
  'an application that is killed again and again keeps every event it answered 200, once, and in its session',
  async () => {
    const random = seededRandom(SEED);
    const total: Tally = { acknowledged: 0, kills: 0, lost: 0, doubled: 0 };
    try {
      for (let round = 0; round < ROUNDS; round += ROUNDS_PER_STORE) await liveAndDie(random, total);
    } finally {
      const { acknowledged, kills, lost, doubled } = total;
      process.stdout.write(
        `kill -9 on ${onPostgres ? 'PostgreSQL' : 'SQLite'} (TEST_SEED=${SEED}): ${ROUNDS} rounds, ` +
          `${acknowledged} events answered 200, ${kills} kills, ${lost} lost, ${doubled} doubled\n`,
      );
    }
    expect(total).toMatchObject({ lost: 0, doubled: 0 });
  },
  ROUNDS * 40_000,
);

async function liveAndDie(random: Random, total: Tally): Promise<void> {
  const database = await freshDatabase();
  let application: ApplicationProcess;
  const sender = new Sender(() => application.url);
  const start = async (): Promise<void> => {
    application = ApplicationProcess.launch(database.url);
    if (random(5) > 0) return void (await application.listening);
    await killWhileItStarts(application, random(1_500));
    total.kills += 1;
    application = await ApplicationProcess.start(database.url);
  };
  const audit = async (): Promise<void> => {
    const { lost, doubled, foreign } = await auditStore(database.url, sender);
    total.lost += lost.length;
    total.doubled += doubled.length;
    expect({ lost, doubled, foreign }).toEqual({ lost: [], doubled: [], foreign: [] });
  };
  try {
    await start();
    for (let round = 0; round < ROUNDS_PER_STORE; round += 1) {
      const before = sender.acknowledged.length;
      let load = callsAtOnce(random, CALLS);
      for (let kill = random(5) === 0 ? 2 : 1; kill > 0; kill -= 1) {
        await sendUntilKilled(application!, sender, load, random);
        total.kills += 1;
        await start();
        // LiveKit sends again what was not answered, unless it has given up meanwhile.
        load = load.filter((event) => !sender.isAcknowledged(event) && random(20) > 0);
      }
      await sender.sendAll(load, AT_ONCE);
      total.acknowledged += sender.acknowledged.length - before;
      await auditSessions(application!, database.url);
      await audit();
    }
    expect(await application!.stop()).toEqual({ code: 0, signal: null });
    await audit();
    expect(sender.answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
  } finally {
    sender.close();
    await killApplications();
    await database.drop();
  }
}
