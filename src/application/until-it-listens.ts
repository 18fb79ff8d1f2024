// A signal without a listener does not end the first process of a container, and Nest listens to none until it is created.
const end = (): never => process.exit(143);

process.once('SIGTERM', end);

/** From now on the application handles SIGTERM itself. */
export const endsByItself = (): void => void process.off('SIGTERM', end);
