// Runs the tests. `--services`: those that touch the database, on PostgreSQL (TEST_POSTGRES_URL, or a local server).
// `--long`: the long rounds of fault and property tests, on SQLite and on PostgreSQL.
// Everything else is passed to Jest: `npm test -- test/unit`, `npm run test:services -- -t duplicate`.
import { spawnSync } from 'node:child_process';

const flags = new Set(['--services', '--long']);
const asked = process.argv.slice(2);
const passed = asked.filter((argument) => !flags.has(argument));
const services = asked.includes('--services');
const long = asked.includes('--long');

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

const touchDatabase = ['test/integration', 'test/e2e', 'test/fault'];
const rounds = long ? { TEST_LONG: '1' } : {};
if (services) run(touchDatabase, { TEST_DATABASE: 'postgres', ...rounds });
else if (long) {
  run(['test/property', 'test/fault'], { ...rounds });
  run(['test/fault'], { TEST_DATABASE: 'postgres', ...rounds });
} else run([], {});
