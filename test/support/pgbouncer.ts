import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqlQuery } from './database.js';
import { freePort } from './private-server.js';
import { until } from './until.js';

/** The path of PgBouncer; undefined when it is not installed. */
const program = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find((path) => existsSync(path));

/** Whether PgBouncer is installed. */
export const hasPgBouncer = program !== undefined;

/** A PgBouncer in transaction mode: every transaction gets any connection that is free. */
export class PgBouncer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /**
   * Starts one in front of the server of a URL.
   *
   * @param connections to the server, shared by all clients.
   */
  static async before(url: string, connections: number): Promise<PgBouncer> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-pgbouncer-'));
    chmodSync(folder, 0o755);
    const own = await freePort();
    const server = {
      host: hostname,
      port: port || '5432',
      user: username,
      password: decodeURIComponent(password),
    };
    const told = Object.entries(server).flatMap(([name, value]) => (value === '' ? [] : `${name}=${value}`));
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]
      * = ${told.join(' ')}
      [pgbouncer]
      listen_addr = 127.0.0.1
      listen_port = ${own}
      unix_socket_dir =
      auth_type = any
      pool_mode = transaction
      default_pool_size = ${connections}
      ignore_startup_parameters = extra_float_digits, idle_in_transaction_session_timeout
      `.replaceAll(/^ +/gm, ''),
    );
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const child = spawn(program as string, ['-q', ...user, join(folder, 'pgbouncer.ini')], {
      stdio: 'ignore',
    });
    const pooler = new PgBouncer(child, folder, own);
    const way = pooler.through(url);
    await until(`PgBouncer before ${pathname}`, () => sqlQuery(way, 'SELECT 1').catch(() => undefined));
    return pooler;
  }

  /** The URL that leads to a database through the pooler. */
  through(url: string): string {
    const detour = new URL(url);
    detour.hostname = '127.0.0.1';
    detour.port = String(this.port);
    return detour.href;
  }

  async remove(): Promise<void> {
    const over = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await over;
    rmSync(this.folder, { recursive: true });
  }
}
