import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './private-server.js';
import { until } from './until.js';

const DEBIAN = '/usr/lib/postgresql';

/** The folder of PostgreSQL's programs; undefined when they are not installed. */
export const postgresPrograms = findPrograms();

/** The user that runs the server: PostgreSQL's programs refuse to run as root. */
const owner = process.getuid?.() === 0 ? 'postgres' : undefined;

/** A PostgreSQL server of a test's own, which it may stop, promote and starve. */
export class PrivatePostgres {
  private server: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly settings: readonly string[],
  ) {}

  /**
   * Creates one, and starts it.
   *
   * @param settings `name=value`.
   */
  static async start(...settings: string[]): Promise<PrivatePostgres> {
    const server = new PrivatePostgres(newFolder(), await freePort(), settings);
    run('initdb', '-D', server.data, '-A', 'trust', '-U', 'postgres', '--no-sync');
    await server.start();
    return server;
  }

  /** Starts a standby that follows this server. */
  async standby(...settings: string[]): Promise<PrivatePostgres> {
    const standby = new PrivatePostgres(newFolder(), await freePort(), settings);
    run('pg_basebackup', '-d', this.url, '-D', standby.data, '-R', '--checkpoint=fast', '--no-sync');
    await standby.start();
    return standby;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  private get data(): string {
    return join(this.folder, 'data');
  }

  /** Starts it again; resolves once it answers. */
  async start(): Promise<void> {
    const settings = [`port=${this.port}`, `unix_socket_directories=${this.folder}`, 'shared_buffers=16MB'];
    const [command, ...args] = asOwner('postgres', [
      '-D',
      this.data,
      ...[...settings, ...this.settings].flatMap((setting) => ['-c', setting]),
    ]);
    this.server = spawn(command as string, args, { stdio: 'ignore', cwd: this.folder });
    await until('PostgreSQL', () => this.answers());
  }

  /** Ends it as a crash would: it sends nothing more, writes nothing to disk and recovers when it is started again. */
  async crash(): Promise<void> {
    const over = new Promise((resolve) => this.server?.once('exit', resolve));
    run('pg_ctl', 'stop', '-D', this.data, '-m', 'immediate');
    await over;
  }

  /** Promotes a standby to primary. */
  promote(): void {
    run('pg_ctl', 'promote', '-D', this.data);
  }

  /** Stops it, and deletes its files. */
  async remove(): Promise<void> {
    if (this.server?.exitCode === null) await this.crash();
    rmSync(this.folder, { recursive: true });
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function findPrograms(): string | undefined {
  const told = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' });
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  return [...(told.status === 0 ? [told.stdout.trim()] : []), ...debian].find((folder) =>
    existsSync(join(folder, 'initdb')),
  );
}

const asOwner = (program: string, args: readonly string[]): string[] => [
  ...(owner === undefined ? [] : ['runuser', '-u', owner, '--']),
  join(postgresPrograms as string, program),
  ...args,
];

function run(program: string, ...args: string[]): void {
  const [command, ...all] = asOwner(program, args);
  execFileSync(command as string, all, { stdio: 'pipe', cwd: tmpdir() });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-postgres-'));
  if (owner !== undefined) {
    const id = (flag: string) => Number(execFileSync('id', [flag, owner], { encoding: 'utf8' }));
    chownSync(folder, id('-u'), id('-g'));
  }
  return folder;
}
