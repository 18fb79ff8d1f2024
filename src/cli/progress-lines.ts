import type { MoveProgress } from '../database/moving/move-store.js';

/** How often a table's progress is printed, milliseconds. */
const INTERVAL = 1_000;

/** Returns a listener that prints a line of progress, once a second at most, and when a table is done. */
export function progressLines(
  print: (line: string) => void,
  now: () => number = Date.now,
): (progress: MoveProgress) => void {
  let last = now();
  return ({ step, table, rows, of }) => {
    if (rows < of && now() - last < INTERVAL) return;
    last = now();
    print(`${step} ${table}: ${grouped(rows)} of ${grouped(of)}`);
  };
}

/** A number with its digits grouped: `736,358`. */
export const grouped = (count: number): string => count.toLocaleString('en-US');
