/** A plain BullMQ worker, in a process of its own: `drain/bullmq.ts <redis url> <key prefix> <concurrency>`. */
import { Queue, Worker } from 'bullmq';
import { answer } from '../child.js';
import { nextBody } from '../bodies.js';
import type { DrainQuestion } from './question.js';

const [url = '', prefix = '', concurrency = ''] = process.argv.slice(2);
const connection = { url, maxRetriesPerRequest: null };
const queue = new Queue('drain', { connection, prefix, defaultJobOptions: { removeOnComplete: true } });

answer<DrainQuestion>(async ({ count }) => {
  for (let left = count; left > 0; left -= 1_000) {
    const jobs = Array.from({ length: Math.min(left, 1_000) }, () => ({
      name: 'event',
      data: JSON.parse(nextBody().body),
    }));
    await queue.addBulk(jobs);
  }
  const worker = new Worker('drain', async () => undefined, {
    connection,
    prefix,
    concurrency: Number(concurrency),
    autorun: false,
  });
  await worker.waitUntilReady();
  let completed = 0;
  const all = new Promise<void>((resolve, reject) => {
    worker.on('completed', () => {
      completed += 1;
      if (completed === count) resolve();
    });
    worker.on('failed', (_, error) => reject(error));
    worker.on('error', reject);
  });
  const start = performance.now();
  void worker.run();
  await all;
  const milliseconds = performance.now() - start;
  await worker.close();
  return milliseconds;
});
