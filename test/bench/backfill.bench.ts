import { Child } from './child.js';
import type { Bench } from './report.js';
import { type Measure, type Row, rowOf } from './rounds.js';
import { Databases } from './services.js';

const EVENTS = 100_000;

/** How fast a new handler is given what was stored before it, and how much memory that takes: it must stay flat. */
export const backfill: Bench = {
  name: 'backfill',
  title: 'Backfilling a new handler',
  async run({ long }) {
    const count = long ? 5 * EVENTS : EVENTS;
    const databases = new Databases();
    try {
      const rows: Row[] = [];
      for (const { kind, url } of await databases.all()) {
        const child = await Child.start('backfill.ts', url);
        const measure = await child.ask<Measure>({ count }).finally(() => child.stop());
        rows.push(rowOf(kind, `ours on ${kind}`, [measure]));
      }
      return {
        method: `${count} stored events into an empty handler, until all deliveries are done; the heap after a full collection`,
        rows,
        leftOut: databases.leftOut,
      };
    } finally {
      await databases.drop();
    }
  },
};
