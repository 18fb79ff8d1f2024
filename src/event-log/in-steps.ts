import { setTimeout as delay } from 'node:timers/promises';

/** Rows changed in one transaction: few enough for PostgreSQL's time limit, and for those who wait behind it. */
export const STEP = 1_000;

/** Lets others have their turn between two steps of long work. */
export const giveWay = (): Promise<void> => delay(2);

/** Takes one small step after the other, until one does nothing, or `isStopping`. */
export async function inSteps(step: () => Promise<number>, isStopping: () => boolean): Promise<void> {
  while (!isStopping() && (await step()) > 0) await giveWay();
}
