import Database from 'libsql';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { TEST_KEY } from './signing.js';

/** The token of the admin routes of these applications. */
export const ADMIN_TOKEN = 'an-admin-token-for-fault-tests';

/** How a process ended: with an exit code, or by a signal. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What Node runs: the built application. */
const APPLICATION: readonly string[] = ['--enable-source-maps', 'dist/main.js'];

const running = new Set<ApplicationProcess>();

/** The built application in a process of its own, as a user would run it, or another program with the same environment. */
export class ApplicationProcess {
  /** The origin it listens on; rejects when it ends first. */
  readonly listening: Promise<string>;
  readonly exited: Promise<Exit>;
  /** Its origin, once it listens. */
  url = '';
  private readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private exit: Exit | undefined;

  private constructor(databaseUrl: string, env: Record<string, string>, program: readonly string[]) {
    this.child = spawn(process.execPath, program, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        LIVEKIT_API_KEY: TEST_KEY.apiKey,
        LIVEKIT_API_SECRET: TEST_KEY.apiSecret,
        ADMIN_TOKEN,
        DATABASE_URL: databaseUrl,
        HOST: '127.0.0.1',
        PORT: '0',
        LOG_FORMAT: 'json',
        ...env,
      },
    });
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        running.delete(this);
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    this.listening = new Promise((resolve, reject) => {
      const read = (line: string) => {
        this.lines.push(line);
        const url = this.url === '' ? /listening on (http:\/\/[^\s"]+)/.exec(line)?.[1] : undefined;
        if (url !== undefined) resolve((this.url = url));
      };
      for (const stream of [this.child.stdout, this.child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', read);
      }
      void this.exited.then(() => reject(new Error(`the application ended:\n${this.log}`)));
    });
    this.listening.catch(() => undefined); // not every test waits for it
  }

  /** Spawns it; it may not listen yet. */
  static launch(
    databaseUrl: string,
    env: Record<string, string> = {},
    program: readonly string[] = APPLICATION,
  ): ApplicationProcess {
    return new ApplicationProcess(databaseUrl, env, program);
  }

  /** Spawns it, and resolves once it listens. */
  static async start(databaseUrl: string, env: Record<string, string> = {}): Promise<ApplicationProcess> {
    const application = this.launch(databaseUrl, env);
    await application.listening;
    return application;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Whether it has not ended. */
  get alive(): boolean {
    return this.exit === undefined;
  }

  /** What it wrote, stdout and stderr. */
  get log(): string {
    return this.lines.join('\n');
  }

  /** What it logged as errors, all of it but that a webhook was told to come again on a busy machine. */
  get errors(): string[] {
    return this.lines.filter(
      (line) => line.includes('"level":"error"') && !line.includes('"outcome":"store_slow"'),
    );
  }

  /** Kills it as a power cut would: nothing of it runs on. */
  kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  /** Suspends it where it is, as a suspended machine would. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  /** Resumes it from there. */
  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** Reads no more of its log, nor will anybody, as when a log collector dies. */
  closeLog(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  /** Asks it to end, as an orchestrator does. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal);
    return this.exited;
  }

  /** Gets one of its routes, with the admin token. */
  async get(path: string): Promise<{ status: number; json: unknown }> {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    return { status: response.status, json: await response.json() };
  }
}

/** Kills the applications that a test has left running. */
export async function killApplications(): Promise<void> {
  await Promise.all([...running].map((application) => application.kill()));
}

/** Builds the application unless it is built; concurrent callers wait. */
export function buildApplication(): void {
  mkdirSync('node_modules/.cache', { recursive: true });
  const lock = new Database('node_modules/.cache/build.lock', { timeout: 120_000 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    const { status, stdout } = spawnSync(process.execPath, ['scripts/build-when-needed.mjs'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) throw new Error(`the application does not build:\n${stdout}`);
  } finally {
    lock.close();
  }
}
