/**
 * One configuration for every kind of test. The database-touching ones run on SQLite in `npm test` and on
 * PostgreSQL in `npm run test:services`: the same files, told by `TEST_DATABASE`.
 */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testTimeout: 30_000,
};
