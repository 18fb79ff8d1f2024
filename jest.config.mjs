import { availableParallelism } from 'node:os';

// These call through a LiveKit server, which sends its webhooks to one port: `npm run test:livekit`.
const livekit = process.env.TEST_LIVEKIT === '1';

/**
 * One configuration for every kind of test. The database-touching ones run on SQLite in `npm test` and on
 * PostgreSQL in `npm run test:services`: the same files, told by `TEST_DATABASE`.
 */
export default {
  testEnvironment: 'node',
  roots: [livekit ? '<rootDir>/test/livekit' : '<rootDir>/test'],
  // What is in `test/package` is run by those whom the package is tried on: `npm run test:package`.
  testPathIgnorePatterns: ['<rootDir>/test/package/', ...(livekit ? [] : ['<rootDir>/test/livekit/'])],
  testMatch: ['**/*.spec.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Most of them wait for a disk, a server or a process: three workers keep two cores busy.
  maxWorkers: livekit ? 1 : Math.min(Math.ceil(availableParallelism() * 1.5), 12), // Jest takes '150%' for 150
  testTimeout: 240_000, // of a busy machine: what is waited for has its own patience
};
