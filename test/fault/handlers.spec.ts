import { randomInt } from 'node:crypto';
import type { ApplicationProcess } from '../support/application-process.js';
import { onPostgres } from '../support/database.js';
import { DELIVERY_ENGINES, type EngineName } from '../support/private-server.js';
import { seededRandom } from '../support/random.js';
import { auditSessions, auditStore } from './audit.js';
import { type CallEvent, callsAtOnce, type Random } from './calls.js';
import { auditHandlers, NOTHING_WRONG } from './handler-audit.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { AT_ONCE, breakServer, killWhileItStarts, sendUntilKilled } from './kills.js';
import { Sender } from './sender.js';

const isLong = process.env['TEST_LONG'] === '1';
/** On PostgreSQL the engines share them, but in the long run. */
const ROUNDS = {
  database: isLong ? 500 : onPostgres ? 6 : 12,
  bullmq: isLong ? 200 : 3,
  jetstream: isLong ? 200 : 3,
};
/** A store lives this long, so that it is killed both new and full. */
const ROUNDS_PER_STORE = 20;
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
const CALLS = 6;
/** Handlers are behind the webhooks, and an engine is between: they are killed for that long after one, milliseconds. */
const LATEST = { database: 300, bullmq: 1_500, jetstream: 1_500 };
/** An engine is broken at any moment of a round, and may be gone until the next one, milliseconds. */
const BROKEN_LATEST = 1_500;
const BROKEN_LONGEST = 3_000;

const none = { kills: 0, broken: 0, acknowledged: 0, effects: 0, runs: 0, failed: 0, cutOff: 0, repeats: 0 };

beforeAll(buildHost, 120_000);
afterAll(removeHost);

describe.each(DELIVERY_ENGINES)('handlers over %s', (engine) => {
  const rounds = ROUNDS[engine];

  test(
    'that are killed again and again do everything: transactional ones once, the others under one key, ordered ones in order',
    async () => {
      const random = seededRandom(SEED);
      const total = { ...none };
      const start = performance.now();
      try {
        for (let left = rounds; left > 0; left -= ROUNDS_PER_STORE) {
          await liveAndDie(engine, Math.min(left, ROUNDS_PER_STORE), random, total);
        }
      } finally {
        const { kills, broken, acknowledged, effects, runs, failed, cutOff, repeats } = total;
        const seconds = ((performance.now() - start) / 1_000).toFixed(0);
        process.stdout.write(
          `handlers under kill -9 over ${engine} on ${onPostgres ? 'PostgreSQL' : 'SQLite'} (TEST_SEED=${SEED}): ${rounds} rounds in ${seconds} s, ` +
            `${kills} kills, the engine broken ${broken} times, ${acknowledged} events answered 200, ${effects} transactional effects, ` +
            `${runs} other runs: ${failed} failed, ${cutOff} cut off, ${repeats} repeated after a success\n`,
        );
      }
    },
    60_000 + rounds * 40_000,
  );
});

async function liveAndDie(
  engine: EngineName,
  rounds: number,
  random: Random,
  total: typeof none,
): Promise<void> {
  const hosts = await HostProcesses.onFreshDatabase({ engine, seed: random(2 ** 31) });
  const { databaseUrl, server } = hosts;
  let host: ApplicationProcess;
  const sender = new Sender(() => host.url);
  const start = async (): Promise<ApplicationProcess> => {
    if (random(5) === 0) {
      await killWhileItStarts(hosts.launch(), random(1_500));
      total.kills += 1;
    }
    return hosts.start();
  };
  const perhapsBreak = async (): Promise<void> => {
    if (server === undefined || random(2) === 0) return;
    total.broken += 1;
    await breakServer(server, random, BROKEN_LATEST, BROKEN_LONGEST);
  };
  try {
    host = await start();
    let load: CallEvent[] = [];
    for (let round = 0; round < rounds; round += 1) {
      load.push(...callsAtOnce(random, CALLS));
      const broken = perhapsBreak();
      await sendUntilKilled(host, sender, load, random, LATEST[engine]);
      total.kills += 1;
      host = await start();
      await broken;
      // LiveKit sends again what was not answered, unless it has given up meanwhile.
      load = load.filter((event) => !sender.isAcknowledged(event) && random(20) > 0);
    }
    const broken = perhapsBreak();
    await sender.sendAll(load, AT_ONCE);
    await broken;
    await hosts.drained();
    await auditSessions(host, databaseUrl);
    expect(await host.stop()).toEqual({ code: 0, signal: null });
    expect(await auditStore(databaseUrl, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
    const { findings, figures } = await auditHandlers(hosts);
    total.acknowledged += sender.acknowledged.length;
    for (const [figure, value] of Object.entries(figures)) total[figure as keyof typeof figures] += value;
    expect(findings).toEqual(NOTHING_WRONG);
    expect(hosts.errors).toEqual([]);
    expect(sender.answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
  } finally {
    sender.close();
    await hosts.remove();
  }
}
