/** graphile-worker, in a process of its own: `drain/graphile-worker.ts <database url> <concurrency> <preset as JSON>`. */
import { Logger, makeWorkerUtils, run, type WorkerEvents } from 'graphile-worker';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { answer } from '../child.js';
import { nextBody } from '../bodies.js';
import type { DrainQuestion } from './question.js';

const [connectionString = '', concurrency = '', preset = ''] = process.argv.slice(2);
const pgPool = new pg.Pool({ connectionString, max: 10 });
pgPool.on('error', () => undefined);
pgPool.on('connect', (client) => client.on('error', () => undefined));
const logger = new Logger(() => () => undefined);
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();

answer<DrainQuestion>(async ({ count }) => {
  for (let left = count; left > 0; left -= 1_000) {
    const jobs = Array.from({ length: Math.min(left, 1_000) }, () => ({
      identifier: 'event',
      payload: JSON.parse(nextBody().body),
    }));
    await utils.addJobs(jobs);
  }
  const events: WorkerEvents = new EventEmitter();
  const all = new Promise<void>((resolve) => {
    let completed = 0;
    events.on('job:complete', () => {
      completed += 1;
      if (completed === count) resolve();
    });
  });
  const start = performance.now();
  const runner = await run({
    pgPool,
    logger,
    noHandleSignals: true,
    preset: {
      worker: {
        concurrentJobs: Number(concurrency),
        ...(JSON.parse(preset) as GraphileConfig.Preset['worker']),
      },
    },
    events,
    taskList: { event: async () => undefined },
  });
  await all;
  while ((await jobsLeft()) > 0) await delay(5); // its events come before it has written down that a job is done
  const milliseconds = performance.now() - start;
  await runner.stop();
  return milliseconds;
});

async function jobsLeft(): Promise<number> {
  const { rows } = await pgPool.query<{ left: number }>(
    'SELECT count(*)::int AS left FROM graphile_worker.jobs',
  );
  return rows[0]?.left ?? 0;
}
