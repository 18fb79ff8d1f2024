// Installs the packed library into a copy of an example, as a user would have it, type-checks it, and runs its demo: on SQLite,
// again over what is stored by then, and on PostgreSQL where `TEST_POSTGRES_URL` names one.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const CALLS = {
  'two-party-call': { deliveries: 10, bill: 'call-1001: 10 cents, closed (caller-1001 5 s)' },
  'sip-caller': { deliveries: 8, bill: 'call-1012: 6 cents, closed (sip_+15550100 3 s)' },
  'recorded-call': { deliveries: 11, bill: 'call-1016: 10 cents, closed (caller-1016 5 s)' },
  'recording-failed': { deliveries: 7, bill: 'call-1018: 8 cents, closed (caller-1018 4 s)' },
};

const archived = [
  'archive call-1018: discarded at attempt 1 (last error: DiscardDelivery: EG_H5tGn9JdKu2e has no file to archive',
  'archive call-1016: done at attempt 2 (last error: RetryAfter: asked to be tried again in 1000 ms)',
];

/** Tries `examples/billing` with the library packed in `tarball`, in a copy below `workshop`. */
export async function tryBillingExample(tarball, workshop) {
  const folder = join(workshop, 'billing');
  cpSync(resolve('examples/billing'), folder, {
    recursive: true,
    filter: (source) => !['node_modules', 'dist', 'data'].includes(basename(source)),
  });
  await run(folder, ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball]);
  await tryDemo(folder, 'file:./data/backend.sqlite');
  expectBills(await demo(folder, 'file:./data/backend.sqlite'), ({ deliveries }) => ({
    duplicate: 2 * deliveries,
  }));
  console.log('examples/billing: type-checked, billed recorded calls once on SQLite, and not again');
  if (process.env.TEST_POSTGRES_URL === undefined) return;
  await onFreshDatabase(process.env.TEST_POSTGRES_URL, (url) => tryDemo(folder, url));
  console.log('examples/billing: the same on PostgreSQL');
}

async function tryDemo(folder, databaseUrl) {
  const output = await demo(folder, databaseUrl);
  expectBills(output, ({ deliveries }) => ({ accepted: deliveries, duplicate: deliveries }));
  const mails = output.split('\n').filter((line) => line.startsWith('mail    '));
  expect(mails.length === 4, `a mail for each of the 4 calls, in:\n${output}`);
  for (const line of archived) expect(output.includes(line), `"${line}" in:\n${output}`);
}

async function demo(folder, databaseUrl) {
  const PORT = String(await freePort());
  return run(folder, ['run', '--silent', 'demo'], { PORT, DATABASE_URL: databaseUrl });
}

function expectBills(output, answers) {
  for (const [call, facts] of Object.entries(CALLS)) {
    for (const line of [`played  ${call}: ${JSON.stringify(answers(facts))}`, `bill    ${facts.bill}`])
      expect(output.includes(line), `"${line}" in:\n${output}`);
  }
}

async function run(cwd, args, environment = {}) {
  try {
    const env = { ...process.env, ...environment };
    const { stdout } = await promisify(execFile)('npm', args, { cwd, env, timeout: 300_000 });
    return stdout;
  } catch (error) {
    console.error(error.stdout, error.stderr); // where the compiler says what is wrong
    throw error;
  }
}

async function onFreshDatabase(url, use) {
  const name = `example_${randomBytes(6).toString('hex')}`;
  const server = new pg.Client(url);
  await server.connect();
  try {
    await server.query(`CREATE DATABASE ${name}`);
    const fresh = new URL(url);
    fresh.pathname = `/${name}`;
    await use(fresh.href);
  } finally {
    await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await server.end();
  }
}

function freePort() {
  return new Promise((resolvePort) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolvePort(port));
    });
  });
}

function expect(condition, what) {
  if (!condition) throw new Error(`expected ${what}`);
}
