import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectToNats } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPostgres } from './database.js';
import { until } from './until.js';

/** The engines that carry deliveries, and the servers they need. */
export const ENGINES = ['bullmq', 'jetstream'] as const;

/** The engines that may bring deliveries to handlers in this run: on SQLite the database only. */
export const DELIVERY_ENGINES = ['database', ...(onPostgres ? ENGINES : [])] as const;

/** A value of `DELIVERY_ENGINE`. */
export type EngineName = (typeof DELIVERY_ENGINES)[number];

/** The cases that are tested with an engine: the database gets all, and the others share them, except in the long run. */
export const shareOf = <Case>(engine: EngineName, cases: readonly Case[]): Case[] =>
  engine === 'database' || process.env['TEST_LONG'] === '1'
    ? [...cases]
    : cases.filter((_, n) => n % ENGINES.length === ENGINES.indexOf(engine));

/** For a test that asks nothing of an engine that others do not: the engines have it in the long run. */
export const testOf = (engine: EngineName): typeof test | typeof test.skip =>
  engine === 'database' || process.env['TEST_LONG'] === '1' ? test : test.skip;

const SERVERS = {
  bullmq: {
    scheme: 'redis',
    variable: 'REDIS_URL',
    command: (port: number, folder: string) =>
      [
        'redis-server',
        '--port',
        `${port}`,
        '--dir',
        folder,
        '--bind',
        '127.0.0.1',
        '--appendonly',
        'yes',
      ] as [string, ...string[]],
    login: (_user: string, password: string) => ['--requirepass', password],
  },
  jetstream: {
    scheme: 'nats',
    variable: 'NATS_URL',
    command: (port: number, folder: string) =>
      ['nats-server', '-p', `${port}`, '-a', '127.0.0.1', '-js', '-sd', folder] as [string, ...string[]],
    login: (user: string, password: string) => ['--user', user, '--pass', password],
  },
};

/** A Redis or NATS server of a test's own, which it may break. */
export class PrivateServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly engine: (typeof ENGINES)[number],
    private readonly port: number,
    private readonly folder: string,
  ) {}

  /** A server that is not started yet. */
  static async of(engine: (typeof ENGINES)[number]): Promise<PrivateServer> {
    return new PrivateServer(
      engine,
      await freePort(),
      mkdtempSync(join(tmpdir(), `livekit-webhooks-${engine}-`)),
    );
  }

  /** Starts the server that an engine needs; the database needs none. */
  static async startFor(engine: EngineName): Promise<PrivateServer | undefined> {
    return engine === 'database' ? undefined : (await PrivateServer.of(engine)).start();
  }

  /** The environment with which this server carries an application's deliveries. */
  get env(): Record<string, string> {
    return { DELIVERY_ENGINE: this.engine, [SERVERS[this.engine].variable]: this.url };
  }

  get url(): string {
    return `${SERVERS[this.engine].scheme}://127.0.0.1:${this.port}`;
  }

  /** Its address, with credentials. */
  urlFor(user: string, password: string): string {
    return this.url.replace('://', `://${user}:${encodeURIComponent(password)}@`);
  }

  /** Starts it, with the data it had; given a `password`, it requires that of `user` (Redis: of `default`). */
  async start({ user = 'default', password }: { user?: string; password?: string } = {}): Promise<this> {
    const { command: commandOf, login } = SERVERS[this.engine];
    const [command, ...told] = commandOf(this.port, this.folder);
    if (password !== undefined) told.push(...login(user, password));
    const child = spawn(command, told, { stdio: 'ignore' });
    this.child = child;
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    await until(`${command} to listen`, () => this.isListening());
    return this;
  }

  /** Kills it as a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.child = undefined;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Makes it hang: it keeps its connections, but answers nobody. */
  hang(): void {
    this.child?.kill('SIGSTOP');
  }

  /** Resumes it. */
  goOn(): void {
    this.child?.kill('SIGCONT');
  }

  /** Makes it lose all of its data. */
  async empty(): Promise<void> {
    if (this.engine === 'bullmq') {
      const redis = new Redis(this.url);
      await redis.flushall();
      redis.disconnect();
      return;
    }
    const connection = await connectToNats({ servers: this.url });
    const { streams } = await jetstreamManager(connection);
    for await (const { config } of streams.list()) await streams.delete(config.name);
    await connection.close();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private isListening(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      const say = (answer: boolean) => {
        socket.destroy();
        resolve(answer);
      };
      socket.once('connect', () => say(true)).once('error', () => say(false));
    });
  }
}

/** A port on which nothing listens. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
