/**
 * What a process does of an application that runs as several on PostgreSQL: `edge` receives and appends, `worker` hands
 * out deliveries and does what falls due by itself, `all` does both.
 */
export type Role = 'all' | 'edge' | 'worker';

/** Where the role of this process is injected from; it is `all` where nobody provides one. */
export const ROLE = Symbol.for('nestjs-livekit-webhooks:role');

/** This process is an edge, and was asked to do a worker's work. */
export class EdgeRoleError extends Error {
  override readonly name = 'EdgeRoleError';

  constructor(what: string) {
    super(`this process is an \`edge\`, which ${what}: ask a \`worker\`, or one whose role is \`all\``);
  }
}
