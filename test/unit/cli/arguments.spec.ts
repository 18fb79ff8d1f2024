import { readArguments, UsageError } from '../../../src/cli/arguments.js';

const FROM = 'file:./data/voice.sqlite';
const TO = 'postgres://me:topsecret@db/voice';

const read = (line: string, env: Record<string, string> = {}) =>
  readArguments(line.split(' ').filter(Boolean), env);

describe('the command line', () => {
  test.each([
    ['--help', {}, { name: 'help' }],
    ['migrate -h', {}, { name: 'help' }],
    [`migrate --database ${TO}`, {}, { name: 'migrate', database: TO }],
    ['migrate', { DATABASE_URL: TO }, { name: 'migrate', database: TO }],
    [`migrate-store --from ${FROM} --to ${TO}`, {}, { name: 'migrate-store', from: FROM, to: TO }],
    [`migrate-store --from ${FROM}`, { DATABASE_URL: TO }, { name: 'migrate-store', from: FROM, to: TO }],
    [`migrate-store --from ${FROM} --release`, {}, { name: 'release', from: FROM }],
  ])('%s', (line, env, command) => {
    expect(read(line, env)).toEqual(command);
  });

  test.each([
    ['', /a command is missing/],
    ['move', /no such command/],
    ['migrate', /--database is missing, and DATABASE_URL is not set/],
    [`migrate ${TO}`, /one argument too many/],
    [`migrate --to ${TO}`, /--to does not belong here/],
    [`migrate-store --to ${TO}`, /--from is missing/],
    [`migrate-store --from ${FROM}`, /--to is missing, and DATABASE_URL is not set/],
    [`migrate-store --from ${FROM} --to ${TO} --release`, /--to does not belong here/],
    [`migrate-store --form ${TO}`, /no such option/],
    [`migrate-store --${TO}`, /no such option/],
    ['migrate-store --from', /lacks its value/],
    [`migrate-store --from ${FROM} --from file:./other.sqlite --release`, /--from is given more than once/],
    [`migrate --database=${TO} --database ${TO}`, /--database is given more than once/],
  ])('%s is refused with the cure, and nothing of it is told', (line, why) => {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).toThrow(why);
    expect(() => read(line)).not.toThrow(/topsecret/);
  });
});
