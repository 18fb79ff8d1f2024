// Packs the library as it would be published, installs it into fresh hosts outside the repository, runs their tests and its command,
// boots them and sends each the webhooks of a captured call; then runs the example with it. `npm run test:package`
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { capturedCall, signWebhook } from '../dist/testing/index.js';
import { tryBillingExample } from './try-example.mjs';

const npm = async (args, cwd) => {
  try {
    await promisify(execFile)('npm', args, { cwd });
  } catch (error) {
    console.error(error.stdout, error.stderr); // where compilers and test runners say what is wrong
    throw error;
  }
};

const HOSTS = [
  { name: 'nest-12-esm', also: async () => {} },
  {
    name: 'nest-11-commonjs',
    also: async (url, output) => {
      await until('the @OnEvent listener', () => output.includes('heard support-agent'));
      await until("a span in the host's SDK", () => output.includes("  name: 'send livekit_events',"));
      const health = await (await fetch(`${url}/health`)).json();
      assert(health.status === 'ok', `health is ${JSON.stringify(health)}`);
    },
  },
];

const workshop = mkdtempSync(join(tmpdir(), 'livekit-webhooks-package-'));
try {
  await npm(['pack', '--silent', '--pack-destination', workshop], process.cwd());
  const tarball = join(
    workshop,
    readdirSync(workshop).find((file) => file.endsWith('.tgz')),
  );
  await allOf([...HOSTS.map((host) => tryPackage(tarball, host)), tryBillingExample(tarball, workshop)]);
} finally {
  rmSync(workshop, { recursive: true, force: true });
}

/** Waits for all of them, whatever one fails with: each works in the workshop. */
async function allOf(tries) {
  const failed = (await Promise.allSettled(tries)).find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}

async function tryPackage(tarball, host) {
  const folder = join(workshop, host.name);
  cpSync(resolve('test/package', host.name), folder, { recursive: true });
  cpSync(resolve('test/package/billing.test.ts'), join(folder, 'src/billing.test.ts'));
  await npm(['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', tarball], folder);
  for (const file of ['prometheus/alerts.yaml', 'grafana/overview.json'])
    createRequire(join(folder, 'package.json')).resolve(`nestjs-livekit-webhooks/ops/${file}`);
  const migrate = ['livekit-webhooks', 'migrate', '--database', 'file:./command.sqlite'];
  await npm(['exec', '--no', '--', ...migrate], folder);
  await npm(['run', '--silent', 'build'], folder);
  await npm(['test', '--silent'], folder);
  await tryHost(folder, host);
  console.log(
    `${host.name}: ran its command, tested its handler, booted, received a captured call, told its session`,
  );
}

async function tryHost(folder, { also }) {
  const apiSecret = randomBytes(32).toString('hex');
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { ...process.env, SECRET: apiSecret },
  });
  const output = [];
  try {
    child.stderr.on('data', (chunk) => process.stderr.write(chunk));
    createInterface({ input: child.stdout }).on('line', (line) => output.push(line));
    const listening = () =>
      output.find((line) => line.startsWith('listening on '))?.slice('listening on '.length);
    await until('the host to listen', listening);
    const url = listening();
    for (const { body } of capturedCall('two-party-call').deliveries) {
      const headers = signWebhook(body, { apiKey: 'APIhost', apiSecret });
      const response = await fetch(`${url}/voice/livekit/webhooks`, { method: 'POST', headers, body });
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

async function until(what, condition, patience = 60_000) {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(50);
  }
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}
