import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with the result of `condition` as soon as that is truthy, and fails after `patience` milliseconds. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  patience = 30_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(10);
  }
}
