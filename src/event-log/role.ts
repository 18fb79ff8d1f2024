/**
 * What a process does in an application that runs as several on PostgreSQL: `edge` receives and appends, `worker` runs
 * deliveries and timed work, `all` does both.
 */
export type Role = 'all' | 'edge' | 'worker';

/** Injection token of this process's role, `all` by default. */
export const ROLE = Symbol.for('nestjs-livekit-webhooks:role');

/** This process is an edge, and was asked to do a worker's work. */
export class EdgeRoleError extends Error {
  override readonly name = 'EdgeRoleError';

  constructor(what: string) {
    super(`this process is an \`edge\`, which ${what}: ask a \`worker\`, or one whose role is \`all\``);
  }
}
