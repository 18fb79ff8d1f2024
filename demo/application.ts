import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The application, running in a process of its own with throw-away credentials. */
export interface RunningApplication {
  url: string;
  apiKey: string;
  apiSecret: string;
  adminToken: string;
  logFile: string;
  stop(): Promise<void>;
}

/** Boots the built application as its user would, on a free port and with a new database file. */
export async function startApplication(): Promise<RunningApplication> {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-demo-'));
  const logFile = join(folder, 'application.log');
  const apiKey = 'APIdemo';
  const apiSecret = randomBytes(24).toString('base64url');
  const adminToken = randomBytes(24).toString('base64url');
  const child = spawn(process.execPath, ['--enable-source-maps', 'dist/main.js'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      ADMIN_TOKEN: adminToken,
      DATABASE_URL: `file:${join(folder, 'voice.sqlite')}`,
      HOST: '127.0.0.1',
      PORT: '0',
      SESSION_SETTLE: '1s',
      LOG_FORMAT: 'json',
    },
  });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  return { url: await listeningUrl(child), apiKey, apiSecret, adminToken, logFile, stop: () => stop(child) };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  const output: string[] = [];
  if (child.stdout === null || child.stderr === null) throw new Error('the application has no output');
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  for await (const line of createInterface({ input: child.stdout })) {
    output.push(line);
    const url = /listening on (https?:\/\/[^\s"]+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`the application did not start:\n${output.join('\n')}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}
