import { Logger, type LogLevel } from '@nestjs/common';
import { AppLogger, type AppLoggerOptions } from '../../../src/config/app-logger.js';

/** What is written to both streams while it logs. */
function written(
  format: AppLoggerOptions['format'],
  log: (logger: AppLogger) => void,
  level: LogLevel = 'verbose',
): string {
  // As it is in a pipe, wherever the tests run.
  const { isTTY } = process.stdout;
  Object.assign(process.stdout, { isTTY: undefined });
  let output = '';
  const lines = { write: (line: string) => void (output += `${line}\n`) };
  try {
    log(new AppLogger({ format, level }, { stdout: lines, stderr: lines }));
  } finally {
    Object.assign(process.stdout, { isTTY });
  }
  return output;
}

const jsonOf = (log: (logger: AppLogger) => void): Record<string, unknown> => {
  const output = written('json', log);
  expect(output).toMatch(/^[^\n]+\n$/);
  return JSON.parse(output) as Record<string, unknown>;
};

/** The line without its time. */
const prettyOf = (log: (logger: AppLogger) => void): string => {
  const output = written('pretty', log);
  expect(output).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z [^\n\r]+\n$/);
  return output.slice(output.indexOf(' ') + 1, -1);
};

const circular = (): Record<string, unknown> => {
  const value: Record<string, unknown> = { event: 'x' };
  value['self'] = value;
  return value;
};

describe.each([['json'], ['pretty']] as const)('in %s', (format) => {
  test('only what is as urgent as the level is logged', () => {
    const all = (logger: AppLogger): void => {
      for (const level of ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] as const)
        logger[level](level);
    };
    const linesAt = (level: LogLevel): number => written(format, all, level).split('\n').length - 1;
    expect(linesAt('verbose')).toBe(6);
    expect(linesAt('log')).toBe(4);
    expect(linesAt('fatal')).toBe(1);
  });

  test.each([
    ['a line end', 'first\r\nsecond'],
    ['an error with line ends', new Error('first\nsecond')],
    ['a field with line ends', { room: 'first\r\nsecond' }],
    ['a name with line ends', { 'first\nsecond': 1 }],
    ['the separators of Unicode', 'first\u2028second\u2029third\u0085fourth'],
    ['an escape sequence', { room: '\u001b[2J\u009b2J' }],
  ])('%s stays on one line, without a control character', (_case, message) => {
    const output = written(format, (logger) => logger.error(message, 'Context'));
    // oxlint-disable-next-line no-control-regex
    expect(output).toMatch(/^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\n$/);
  });

  test('a stack stays on its line', () => {
    const output = written(format, (logger) =>
      logger.error('failed', 'Error: x\n    at f (a.ts:1:2)', 'Context'),
    );
    expect(output.trimEnd().split('\n')).toHaveLength(1);
    expect(output).toContain('Error: x\\n    at f (a.ts:1:2)');
  });

  test('nothing that is logged makes it throw', () => {
    const unprintable = { toJSON: () => { throw new Error('no'); } }; // prettier-ignore
    for (const message of [
      circular(),
      [circular()],
      { unprintable },
      { f: () => 1, s: Symbol('s') },
      1n,
      null,
    ]) {
      expect(written(format, (logger) => logger.warn(message, 'Context'))).toMatch(/^[^\n]+\n$/);
    }
  });

  test('where there is no terminal, there is no colour', () => {
    expect(written(format, (logger) => logger.warn('hello', 'Context'))).not.toContain('\u001b');
  });
});

describe('a line of JSON', () => {
  test('has level, time, context and message', () => {
    const line = jsonOf((logger) => logger.log('hello', 'Context'));
    expect(line).toEqual({ level: 'log', time: expect.any(String), context: 'Context', message: 'hello' });
    expect(new Date(line['time'] as string).toISOString()).toBe(line['time']);
  });

  test('has the fields of a structured message at its top', () => {
    const line = jsonOf((logger) =>
      logger.log({ event: 'participant_joined', outcome: 'accepted' }, 'Context'),
    );
    expect(line).toMatchObject({ context: 'Context', event: 'participant_joined', outcome: 'accepted' });
    expect(line).not.toHaveProperty('message');
  });

  test('keeps its own level, time and context, whatever a message says', () => {
    const line = jsonOf((logger) => logger.warn({ level: 'fatal', time: 0, context: 'Other' }, 'Context'));
    expect(line).toMatchObject({ level: 'warn', context: 'Context', level_: 'fatal', context_: 'Other' });
    expect(line).toMatchObject({ time: expect.any(String), time_: 0 });
  });

  test('has message and stack of an error', () => {
    const error = new Error('boom');
    const line = jsonOf((logger) => logger.error(error, 'Context'));
    expect(line).toMatchObject({ level: 'error', message: 'boom', stack: error.stack });
  });

  test('has the cause beside what is said of it', () => {
    const error = new Error('disk full');
    const line = jsonOf((logger) => logger.error('following failed', error, 'Context'));
    expect(line).toMatchObject({ message: 'following failed', error: 'disk full', stack: error.stack });
  });

  test('has the fields that stand beside a text', () => {
    const line = jsonOf((logger) => logger.log('hello', { room: 'lobby', message: 'other' }, 'Context'));
    expect(line).toMatchObject({ message: 'hello', room: 'lobby', message_: 'other' });
  });

  test('tells big integers as text, and where a value holds itself', () => {
    const line = jsonOf((logger) => logger.log({ ...circular(), bytes: 2n ** 64n }, 'Context'));
    expect(line).toMatchObject({ bytes: '18446744073709551616', self: { event: 'x', self: '[circular]' } });
  });

  test('tells one value twice where it only stands twice', () => {
    const shared = { room: 'lobby' };
    expect(jsonOf((logger) => logger.log({ a: shared, b: [shared, shared] }))).toMatchObject({
      a: shared,
      b: [shared, shared],
    });
  });
});

describe('a line for people', () => {
  test('has level, context and message', () => {
    expect(prettyOf((logger) => logger.warn('listening on http://[::1]:8080', 'Context'))).toBe(
      'WARN    [Context] listening on http://[::1]:8080',
    );
  });

  test('has a structured message as name=value, quoted where it could mislead', () => {
    const message = {
      event: 'participant_joined',
      room: 'a room',
      status: 200,
      forged: 'x outcome=accepted',
      none: undefined,
    };
    expect(prettyOf((logger) => logger.log(message, 'Context'))).toBe(
      'LOG     [Context] event=participant_joined room="a room" status=200 forged="x outcome=accepted"',
    );
  });

  test('has the cause beside what is said of it', () => {
    expect(prettyOf((logger) => logger.error('following failed', new Error('disk full'), 'Context'))).toMatch(
      /^ERROR {3}\[Context\] following failed error="disk full" stack="Error: disk full\\n {4}at /,
    );
  });
});

test("a Nest logger's context is told", () => {
  const line = jsonOf((logger) => {
    Logger.overrideLogger(logger);
    new Logger('Sessions').error('failed', new Error('inner'));
  });
  expect(line).toMatchObject({ context: 'Sessions', message: 'failed', error: 'inner' });
});
