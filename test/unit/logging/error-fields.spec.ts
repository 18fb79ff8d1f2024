import { createServer } from 'node:net';
import { HandlerDeclarationError } from '../../../src/event-log/handlers/errors.js';
import { errorFields, toldOf } from '../../../src/logging/error-fields.js';
import { tellable, ToldError } from '../../../src/logging/told-error.js';
import { MissingPeerError } from '../../../src/optional-peer.js';
import { failureOf } from '../../../src/tracing/spans.js';

const SECRET = 'swordfish';

/** An error as a driver makes it. */
const driverError = (message: string, more: object): Error => Object.assign(new Error(message), more);
const postgres = (code: string, message: string): Error => driverError(message, { code, severity: 'ERROR' });

describe('what is told of an error', () => {
  test('is no message of just anybody, and where it was thrown', () => {
    const told = errorFields(new RangeError(SECRET));
    expect(told).toEqual({
      errorType: 'RangeError',
      errorCode: undefined,
      errorMessage: undefined,
      errorStack: expect.stringMatching(/^at .*error-fields\.spec\.ts:\d+:\d+/),
    });
  });

  test('is no part of a message that looks like a place in the code', () => {
    const error = new Error(`no\n    at ${SECRET} (/a/${SECRET}.ts:1:2)\n    at ${SECRET}:3:4`);
    expect(JSON.stringify(errorFields(error))).not.toContain(SECRET);
    error.message = 'changed'; // and the stack has the message that it was made with
    expect(errorFields(error).errorStack).toContain('error-fields.spec');
  });

  test('is the message of those that say theirs is fit for it', () => {
    class ArchiveFullError extends ToldError {
      override readonly name = 'ArchiveFullError';
    }
    expect(errorFields(new ArchiveFullError('the archive is full'))).toMatchObject({
      errorType: 'ArchiveFullError',
      errorMessage: 'the archive is full',
    });
    expect(toldOf(tellable(new Error('just so')))).toBe('just so');
    // What only the application's author can mend, who would see nothing else of it.
    expect(toldOf(new MissingPeerError('the engine', ['bullmq']))).toMatch(/npm install bullmq$/);
    expect(toldOf(new HandlerDeclarationError('Bills.bill', 'is wrong'))).toBe('Bills.bill: is wrong');
  });

  test.each([
    ['a text', SECRET, 'string'],
    ['an object', { key: SECRET }, 'object'],
    ['nothing', undefined, 'undefined'],
  ])('is the kind of %s that is thrown', (_, thrown, errorType) => {
    expect(errorFields(thrown)).toEqual({ errorType });
    expect(toldOf(thrown)).toBe('unknown');
  });

  test('is something where it can not be read', () => {
    const error = new Error('odd');
    Object.defineProperty(error, 'message', {
      get: () => {
        throw new Error(SECRET);
      },
    });
    expect(errorFields(error)).toEqual({ errorType: 'unreadable' });
    expect(toldOf(error)).toBe('unknown');
  });

  test('is no name that no class could have', () => {
    expect(failureOf(driverError('x', { name: `a ${SECRET}` }))).toBe('Error');
  });

  test.each([
    ['28P01', 'password authentication failed for user "voice"'],
    ['53300', 'sorry, too many clients already'],
    ['57P01', 'terminating connection due to administrator command'],
    ['42P01', 'relation "livekit_bodies" does not exist'],
  ])('is what PostgreSQL says of itself: %s', (code, message) => {
    expect(errorFields(postgres(code, message))).toMatchObject({ errorCode: code, errorMessage: message });
    const wrapped = driverError(`${message}: ${SECRET}`, { driverError: postgres(code, message) });
    expect(errorFields(wrapped)).toMatchObject({ errorCode: code, errorMessage: message });
  });

  test.each([
    ['22P02', `invalid input syntax for type integer: "${SECRET}"`],
    ['23505', `duplicate key value violates unique constraint "${SECRET}"`],
    ['42601', `syntax error at or near "${SECRET}"`],
    ['42P01', `relation "${SECRET}" does not exist`],
  ])('is no value that PostgreSQL quotes: %s', (code, message) => {
    const told = errorFields(postgres(code, message));
    expect(told).toMatchObject({ errorCode: code, errorMessage: undefined });
    expect(JSON.stringify(told)).not.toContain(SECRET);
    expect(toldOf(postgres(code, message))).toBe(code);
  });

  test('is what SQLite says of the disk, and not of a statement', () => {
    const full = driverError('database or disk is full', { code: 'SQLITE_FULL' });
    expect(toldOf(full)).toBe('database or disk is full');
    const wrong = driverError(`no such column: ${SECRET}`, { code: 'SQLITE_ERROR' });
    expect(toldOf(wrong)).toBe('SQLITE_ERROR');
  });

  test("is the first word of a Redis server's reply, and twirp's word", () => {
    expect(toldOf(driverError(`WRONGPASS ${SECRET}`, { name: 'ReplyError' }))).toBe('WRONGPASS');
    expect(toldOf(driverError(SECRET, { code: 'permission_denied' }))).toBe('permission_denied');
  });

  test('is that of the command which failed, where Redis 6 says only further on what a script ran into', () => {
    const script = 'ERR Error running script (call to f_71e6): @user_script:9: @user_script: 9: ';
    const reply = (message: string) => toldOf(driverError(message, { name: 'ReplyError' }));
    expect(reply(`${script}-OOM command not allowed when used memory > 'maxmemory'.`)).toBe('OOM');
    expect(reply(`${script}Wrong number of args`)).toBe('ERR');
    expect(reply(`ERR ${SECRET}: -${SECRET}`)).toBe('ERR');
  });

  test('is no code that is none', () => {
    expect(errorFields(driverError('x', { code: `${SECRET}=1` })).errorCode).toBeUndefined();
    expect(errorFields(driverError('x', { code: 'A'.repeat(100) })).errorCode).toBeUndefined();
    expect(errorFields(driverError('x', { code: 15_105_550_142 })).errorCode).toBeUndefined();
    expect(errorFields(driverError('x', { code: 503 })).errorCode).toBe('503');
  });

  test('is what Node did, and not with whom', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    await new Promise((resolve) => server.close(resolve));
    const error = await fetch(`http://127.0.0.1:${port}`).catch((thrown: unknown) => thrown);
    expect(toldOf(error)).toBe('connect ECONNREFUSED');
  });
});
