// A signal without a listener does not end the first process of a container, and Nest listens to none until it is created.
const end = (): never => process.exit(143);

process.once('SIGTERM', end);

let isAsked = false;

/** From now on the application handles SIGTERM itself. */
export function endsByItself(): void {
  process.off('SIGTERM', end);
  process.once('SIGTERM', () => (isAsked = true));
}

/** Whether it has been asked to end since: what it was in the middle of then fails, which is no news. */
export const isAskedToEnd = (): boolean => isAsked;
