import { Child } from './child.js';
import type { Bench } from './report.js';
import { type Measure, rowOf } from './rounds.js';
import { Databases } from './services.js';

/** What an application costs that has handlers, sessions, and nothing to do. */
export const idle: Bench = {
  name: 'idle',
  title: 'Doing nothing',
  async run({ long }) {
    const milliseconds = long ? 300_000 : 40_000; // longer than the runner's slow poll
    const databases = new Databases();
    try {
      // They don't get in one another's way: at once.
      const rows = (await databases.all()).map(async ({ kind, url }) => {
        const child = await Child.start('idle.ts', url);
        const measure = await child.ask<Measure>({ milliseconds }).finally(() => child.stop());
        return rowOf(kind, `ours on ${kind}`, [measure]);
      });
      return {
        method: `10 handlers and SessionsModule, ${milliseconds / 1000} s without an event`,
        rows: await Promise.all(rows),
        leftOut: databases.leftOut,
      };
    } finally {
      await databases.drop();
    }
  },
};
