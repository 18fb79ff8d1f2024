/**
 * Does `work`, and rejects when a time limit or a signal ends the wait first: then the work is left to itself. Nothing is
 * begun when the signal has been aborted already.
 *
 * @param limit the time that is left, in milliseconds, and the error when it is over.
 */
export async function abandonable<T>(
  work: () => Promise<T>,
  { signal, limit }: { signal?: AbortSignal | undefined; limit?: { after: number; error: Error } },
): Promise<T> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    if (limit !== undefined) timer = setTimeout(() => reject(limit.error), limit.after);
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  const working = work();
  working.catch(() => undefined); // it may fail when nobody waits for it any more
  try {
    return await Promise.race([working, over]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}
