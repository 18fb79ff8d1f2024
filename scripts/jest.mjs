// Runs the tests. `--services`: those that touch the database, on PostgreSQL (TEST_POSTGRES_URL, or a local server).
// `--long`: the long rounds of fault and property tests, on SQLite and on PostgreSQL.
// `--livekit`: those that call through a real LiveKit server, if there is one (LIVEKIT_URL).
// Everything else is passed to Jest: `npm test -- test/unit`, `npm run test:services -- -t duplicate`.
import { spawnSync } from 'node:child_process';

const flags = new Set(['--services', '--long', '--livekit']);
const asked = process.argv.slice(2);
const passed = asked.filter((argument) => !flags.has(argument));
const services = asked.includes('--services');
const long = asked.includes('--long');
const livekit = asked.includes('--livekit');

const run = (folders, environment) => {
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--no-warnings',
      'node_modules/jest/bin/jest.js',
      ...(passed.length > 0 ? passed : folders),
    ],
    { stdio: 'inherit', env: { ...process.env, ...environment } },
  );
  if (status !== 0) process.exit(status ?? 1);
};

// The others are about what comes before the store, or beside it: the same on any database.
const touchDatabase = [
  'test/integration/(?!edge|logging|testing)',
  'test/e2e/(?!behind-a-proxy|cli|environment)',
  'test/fault',
];
const rounds = long ? { TEST_LONG: '1' } : {};
if (livekit && process.env.LIVEKIT_URL) {
  run([], { TEST_LIVEKIT: '1', NODE_ENV: 'production' }); // otherwise the clients log every step
} else if (livekit) {
  console.log(
    'test:livekit is skipped, for LIVEKIT_URL is not set: start a LiveKit server whose webhooks go to ' +
      'http://127.0.0.1:7890/voice/livekit/webhooks, and set LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET and LIVEKIT_WEBHOOK_PORT=7890',
  );
} else if (services) run(touchDatabase, { TEST_DATABASE: 'postgres', ...rounds });
else if (long) {
  run(['test/property', 'test/fault'], { ...rounds });
  run(['test/fault'], { TEST_DATABASE: 'postgres', ...rounds });
} else run([], {});
