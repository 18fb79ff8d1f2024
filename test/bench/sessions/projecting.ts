/** An application that makes sessions of what is stored already: `sessions/projecting.ts <database url>`. */
import { setTimeout as delay } from 'node:timers/promises';
import { Deliveries, EventStore, SessionsModule } from '../../../dist/index.js';
import { application } from '../application.js';
import { answer } from '../child.js';
import { appendTo } from '../events.js';
import type { Measure } from '../rounds.js';
import { busyHour, eventOf, largeRoom } from './calls.js';

/** Events of so many connections of a large room, or as many events of calls of ten events each. */
export interface ProjectingQuestion {
  connections: number;
  inOneRoom: boolean;
}

const [url = ''] = process.argv.slice(2);

answer<ProjectingQuestion>(async ({ connections, inOneRoom }) => {
  const bodies = inOneRoom ? largeRoom(connections) : busyHour((connections * 2) / 5, 'many');
  const events = [...bodies].map(eventOf);
  await appendTo(url, events);
  const app = await application({ database: { url }, imports: [SessionsModule.forRoot({ settle: 0 })] });
  const longest = watch(app.get(EventStore));
  const before = heap();
  let most = before;
  const start = performance.now();
  await app.init();
  const done = app
    .get(Deliveries)
    .drain()
    .then(() => true);
  while (!(await Promise.race([done, delay(50)])))
    most = Math.max(most, process.memoryUsage().heapUsed / MEGABYTE);
  const milliseconds = performance.now() - start;
  const [{ dead, pending } = { dead: NaN, pending: NaN }] = await app.get(Deliveries).lag();
  await app.close();
  if (dead + pending > 0) throw new Error(`${dead + pending} events were left`);
  return {
    'ms an event': milliseconds / events.length,
    'ms the longest transaction': longest(),
    'MB heap before': before,
    'MB at most': most,
    'MB after': heap(),
  } satisfies Measure;
});

/** How long the longest transaction of the projection took, milliseconds. */
function watch(store: EventStore): () => number {
  let longest = 0;
  const transaction = store.transaction.bind(store);
  store.transaction = (work, options) =>
    transaction(async (manager) => {
      const start = performance.now();
      return work(manager).finally(() => (longest = Math.max(longest, performance.now() - start)));
    }, options);
  return () => longest;
}

const MEGABYTE = 1024 * 1024;

/** After all garbage is gone, MB. */
function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / MEGABYTE;
}
