// The first process of a container is not ended by a signal that it doesn't listen to, and Nest listens to none until it is made.
const end = (): never => process.exit(143);

process.once('SIGTERM', end);

/** From now on the application ends by itself when it is told to. */
export const endsByItself = (): void => void process.off('SIGTERM', end);
