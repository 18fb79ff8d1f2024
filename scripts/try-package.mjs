// Packs the library as it would be published, installs it into fresh hosts outside the repository, boots them and
// sends each the webhooks of a recorded call. `npm run test:package`
import { execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const npm = (args, cwd) =>
  execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });

const HOSTS = [
  { name: 'nest-12-esm', also: async () => {} },
  {
    name: 'nest-11-commonjs',
    also: async (url, output) => {
      await until('the @OnEvent listener', () => output.includes('heard support-agent'));
      const health = await (await fetch(`${url}/health`)).json();
      assert(health.status === 'ok', `health is ${JSON.stringify(health)}`);
    },
  },
];

const workshop = mkdtempSync(join(tmpdir(), 'livekit-webhooks-package-'));
try {
  npm(['pack', '--silent', '--pack-destination', workshop], process.cwd());
  const tarball = readdirSync(workshop).find((file) => file.endsWith('.tgz'));
  for (const host of HOSTS) {
    const folder = join(workshop, host.name);
    cpSync(resolve('test/package', host.name), folder, { recursive: true });
    npm(
      ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', join(workshop, tarball)],
      folder,
    );
    npm(['run', '--silent', 'build'], folder);
    await tryHost(folder, host);
    console.log(`${host.name}: booted, received a recorded call, told its session`);
  }
} finally {
  rmSync(workshop, { recursive: true, force: true });
}

async function tryHost(folder, { also }) {
  const secret = randomBytes(32).toString('hex');
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { ...process.env, SECRET: secret },
  });
  const output = [];
  try {
    child.stderr.on('data', (chunk) => process.stderr.write(chunk));
    createInterface({ input: child.stdout }).on('line', (line) => output.push(line));
    const listening = () =>
      output.find((line) => line.startsWith('listening on '))?.slice('listening on '.length);
    await until('the host to listen', listening);
    const url = listening();
    for (const { body } of recordedCall()) {
      const response = await fetch(`${url}/voice/livekit/webhooks`, {
        method: 'POST',
        headers: { 'content-type': 'application/webhook+json', authorization: token(body, secret) },
        body,
      });
      assert(response.status === 200, `a delivery was answered ${response.status} ${await response.text()}`);
    }
    const authorization = 'Bearer an-admin-token-of-the-host';
    await until('the session to end', async () => {
      const { sessions } = await (
        await fetch(`${url}/voice/sessions/call-1001`, { headers: { authorization } })
      ).json();
      return sessions?.[0]?.state === 'ended';
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert(
      /livekit_webhook_requests_total\{.*outcome="accepted"\} \d/.test(metrics),
      'the metrics do not count',
    );
    await also(url, output);
  } finally {
    child.kill('SIGKILL');
  }
}

function recordedCall() {
  return readFileSync('captures/two-party-call.jsonl', 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function token(body, secret) {
  const now = Math.floor(Date.now() / 1000);
  const sha256 = createHash('sha256').update(body).digest('base64');
  const parts = [{ alg: 'HS256' }, { iss: 'APIhost', nbf: now, exp: now + 300, sha256 }];
  const content = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

async function until(what, condition) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await condition()) return;
    await delay(50);
  }
  throw new Error(`waited in vain for ${what}`);
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}
