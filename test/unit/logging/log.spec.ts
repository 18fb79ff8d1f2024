import { ConsoleLogger, Logger } from '@nestjs/common';
import { readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { LOG_LINES } from '../../../src/logging/log-lines.js';
import { Log } from '../../../src/logging/log.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(`src/${file}`, 'utf8') }));

describe('a log line', () => {
  afterEach(() => Logger.overrideLogger(new ConsoleLogger()));

  test('has the fields that its message may have, whatever it is given', () => {
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    const given = { outlet: 'redis', errorCode: undefined, password: 'a secret', room: 'a room' };
    new Log('Outlets').log('an outlet is up again', given);
    expect(logger.lines).toEqual([
      { level: 'log', message: { message: 'an outlet is up again', outlet: 'redis' }, rest: ['Outlets'] },
    ]);
  });

  test('is one line in words for whoever prints objects for people', () => {
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    new Log('Outlets').log('an outlet is up again', { outlet: 'redis' });
    new Log('Retention').warn('a transaction on the log has been open for long: pruning its events later');
    expect(logger.lines.map(({ message }) => inspect(message))).toEqual([
      "an outlet is up again { outlet: 'redis' }",
      'a transaction on the log has been open for long: pruning its events later',
    ]);
  });

  test('is written by nobody past the list of lines', () => {
    const logs = sources.filter(({ text }) => /\bLogger\b[^;]*from '@nestjs\/common'|\bconsole\./.test(text));
    expect(logs.map(({ file }) => file).sort()).toEqual([
      'logging/log.ts',
      'main.ts', // why it does not start
    ]);
  });

  test('stands in the list because somebody writes it', () => {
    const everything = sources.filter(({ file }) => file !== 'logging/log-lines.ts').map(({ text }) => text);
    const messages = Object.values(LOG_LINES).flatMap((lines) => Object.keys(lines));
    const isWritten = (message: string) =>
      everything.some((text) => text.includes(`'${message}'`) || text.includes(`"${message}"`));
    expect(messages.length).toBeGreaterThan(30);
    expect(messages.filter((message) => !isWritten(message))).toEqual([]);
  });
});
