import { sqlQuery } from '../support/database.js';
import type { Appending, AppendQuestion } from './append/appending.js';
import { Child } from './child.js';
import type { Bench } from './report.js';
import { type Contestant, inTurns, ratioOf } from './rounds.js';
import { Databases } from './services.js';

const UNIT = 'appends/s';

/** How many events wait for the disk at the same time. */
const AT_ONCE = [1, 64, 512];

const OURS = { script: 'append/ours.ts', table: 'livekit_events' };
const NAIVE = { script: 'append/naive.ts', table: 'webhooks' };

/**
 * How many events a second are on the disk: ours on PostgreSQL, beside a row a webhook by hand, and beside ours on SQLite.
 * Without HTTP and signatures, which cost all alike.
 */
export const append: Bench = {
  name: 'append',
  title: 'Appending webhooks',
  async run({ long }) {
    const [rounds, milliseconds] = long ? [9, 2_000] : [5, 700];
    const databases = new Databases();
    const children: Child[] = [];
    const contestants: Contestant[] = [];
    const enter = async (name: string, { script, table }: typeof OURS, url: string) => {
      const child = await Child.start(script, url);
      children.push(child);
      let appended = 0;
      for (const atOnce of AT_ONCE) {
        contestants.push({
          name: `${name}, ${atOnce}`,
          what: `${name}, ${atOnce} at a time`,
          async measure() {
            const { appended: some, ...measure } = await child.ask<Appending>({
              atOnce,
              milliseconds,
            } satisfies AppendQuestion);
            appended += some;
            await requireRows(url, table, appended);
            return measure;
          },
        });
      }
    };
    try {
      const postgres = await databases.postgres();
      if (postgres !== null) {
        await enter('one-row inserts on PostgreSQL', NAIVE, (await databases.postgres()) ?? '');
        await enter('ours on PostgreSQL', OURS, postgres);
      }
      await enter('ours on SQLite', OURS, databases.sqlite());
      const rows = await inTurns(contestants, rounds);
      return {
        method: `the log alone, without HTTP; medians of ${rounds} rounds of ${milliseconds / 1_000} s (min – max)`,
        rows,
        ratios: AT_ONCE.map((atOnce) =>
          ratioOf(rows, UNIT, `ours on PostgreSQL, ${atOnce}`, [
            `one-row inserts on PostgreSQL, ${atOnce}`,
            `ours on SQLite, ${atOnce}`,
          ]),
        ).filter(({ times }) => postgres !== null && Object.keys(times).length > 0),
        leftOut: databases.leftOut,
      };
    } finally {
      for (const child of children) await child.stop();
      await databases.drop();
    }
  },
};

async function requireRows(url: string, table: string, appended: number): Promise<void> {
  const [row] = await sqlQuery<{ rows: number | string }>(url, `SELECT count(*) AS rows FROM ${table}`);
  if (Number(row?.rows) !== appended)
    throw new Error(`${appended} were appended, and ${row?.rows} are there`);
}
