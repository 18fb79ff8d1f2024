import { parseDatabaseUrl, toldUrl } from '../../../src/database/database-url.js';
import { DatabaseConfigurationError } from '../../../src/database/errors.js';

describe('a database URL', () => {
  test.each([
    ['file:./data/voice.sqlite', { dialect: 'sqlite', path: './data/voice.sqlite', inMemory: false }],
    ['file:/var/lib/voice.sqlite', { dialect: 'sqlite', path: '/var/lib/voice.sqlite', inMemory: false }],
    ['file:///var/lib/voice.sqlite', { dialect: 'sqlite', path: '/var/lib/voice.sqlite', inMemory: false }],
    [':memory:', { dialect: 'sqlite', path: ':memory:', inMemory: true }],
    ['postgres://me@db/voice', { dialect: 'postgres', url: 'postgres://me@db/voice' }],
    ['postgres://db/?user=me@home', { dialect: 'postgres', url: 'postgres://db/?user=me@home' }],
    ['postgresql://me@db/voice', { dialect: 'postgres', url: 'postgresql://me@db/voice' }],
  ])('%s', (url, location) => {
    expect(parseDatabaseUrl(url)).toEqual(location);
  });

  test.each([
    '',
    'voice.sqlite',
    'file:',
    'file: ',
    'file:./data/voice.sqlite\r',
    'file:./data/voice.sqlite?mode=ro',
    'file:voice\0.sqlite',
    'file::memory:',
    'mysql://db/voice',
    'postgres://',
    'postgres://me:topsecret%@db/voice',
    'postgres://me:topsecret@[db/voice',
    'postgres://me:8080/topsecret@db/voice',
    'postgres://me:8080/topsecret@/voice?host=/run/postgresql',
    'postgres://me:8080#topsecret@db/voice',
    'postgres://me:8080/topsecret?top#secret@db/voice',
    'postgres://me@db/voice?password=top#secret',
  ])('%j is refused with the cure', (url) => {
    expect(() => parseDatabaseUrl(url)).toThrow(DatabaseConfigurationError);
    expect(() => parseDatabaseUrl(url)).toThrow(/use `file:.*a password has %25 for %/);
    expect(() => parseDatabaseUrl(url)).not.toThrow(/topsecret/);
  });
});

describe('a database URL as it is told', () => {
  test.each([
    ['postgres://me:topsecret@db:5433/voice?password=topsecret', 'postgres://db:5433/voice'],
    ['postgresql://me:top@secret@db/voice', 'postgres://db/voice'],
    ['postgres:///voice?host=/run/postgresql', 'postgres:///voice'],
    ['postgres://me:topsecret@a host/voice', 'postgres://…'],
    ['postgres://me:8080/topsecret@db/voice', 'postgres://…'],
    ['postgres://me:8080?topsecret@db/voice', 'postgres://…'],
    ['postgres://me:8080#topsecret@db/voice', 'postgres://…'],
    ['file:./data/voice.sqlite', 'file:./data/voice.sqlite'],
  ])('%s', (url, told) => {
    expect(toldUrl(url)).toBe(told);
  });
});
