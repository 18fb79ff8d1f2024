/** An application whose new handler is given what was stored before it: `backfill.ts <database url>`. */
import { setTimeout as delay } from 'node:timers/promises';
import { Deliveries } from '../../dist/index.js';
import { application } from './application.js';
import { answer } from './child.js';
import { appendTo, someEvents } from './events.js';
import { emptyHandlers } from './handlers.js';
import type { Measure } from './rounds.js';

const [url = ''] = process.argv.slice(2);

answer<{ count: number }>(async ({ count }) => {
  await appendTo(url, someEvents(count), { isRouted: true });
  const app = await application({
    database: { url },
    providers: [emptyHandlers(1, '*', { backfill: true })],
  });
  const before = memory();
  let middle: ReturnType<typeof memory> | undefined;
  let most = before.rss;
  const start = performance.now();
  await app.init();
  const deliveries = app.get(Deliveries);
  for (;;) {
    await delay(250);
    most = Math.max(most, process.memoryUsage().rss);
    const [{ backfilling, pending, running } = { backfilling: 0, pending: 0, running: 0 }] =
      await deliveries.lag();
    if (backfilling + pending + running === 0) break;
    if (backfilling < count / 2) middle ??= memory();
  }
  const seconds = (performance.now() - start) / 1000;
  const after = memory();
  await app.close();
  return {
    'events/s': count / seconds,
    'MB heap before': before.heap,
    'MB half-way': middle?.heap ?? NaN,
    'MB after': after.heap,
    'MB RSS before': before.rss / MEGABYTE,
    'MB at most': most / MEGABYTE,
  } satisfies Measure;
});

const MEGABYTE = 1024 * 1024;

/** After all garbage is gone. */
function memory(): { heap: number; rss: number } {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed / MEGABYTE, rss };
}
