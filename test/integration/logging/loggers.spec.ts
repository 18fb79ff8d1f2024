import { ConsoleLogger, type LoggerService } from '@nestjs/common';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { TEST_KEY } from '../../support/signing.js';
import { signWebhook } from '../../../src/testing/sign-webhook.js';
import { NOW, webhook } from '../../support/webhook.js';

type Line = Record<string, unknown>;

/** Keeps the lines of JSON that are written to it. */
class Lines extends Writable {
  readonly all: Line[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const line of chunk.toString().trim().split('\n')) this.all.push(JSON.parse(line) as Line);
    done();
  }
}

/** A host's pino, as nestjs-pino puts it behind Nest's `LoggerService`: the last argument is the context, an object are fields. */
function pinoLogger(lines: Lines): LoggerService {
  const logger = pino({ level: 'trace', messageKey: 'message' }, lines);
  const at =
    (level: 'info' | 'warn' | 'error' | 'debug') =>
    (message: unknown, ...rest: unknown[]): void => {
      const context = { context: rest.at(-1) };
      if (typeof message === 'object')
        logger[level]({ ...context, ...message }, ...(rest.slice(0, -1) as []));
      else logger[level](context, String(message));
    };
  return { log: at('info'), warn: at('warn'), error: at('error'), debug: at('debug') };
}

/** A host's winston, as nest-winston puts it there: an object's `message` is the message, and an `error` in it an `Error`. */
function winstonLogger(lines: Lines): LoggerService {
  const at =
    (level: string) =>
    (message: unknown, ...rest: unknown[]) => {
      const {
        message: said,
        error: _,
        ...meta
      } = typeof message === 'object' ? (message as Line) : { message };
      lines.write(JSON.stringify({ level, message: said, context: rest.at(-1), ...meta }));
    };
  return { log: at('info'), warn: at('warn'), error: at('error'), debug: at('debug') };
}

/** Nest's own, that writes JSON. */
function nestLogger(lines: Lines): LoggerService {
  class Kept extends ConsoleLogger {
    protected override printAsJson(...args: Parameters<ConsoleLogger['printAsJson']>): void {
      const { message, ...more } = this.getJsonLogObject(...args);
      const fields = typeof message === 'object' ? (message as Line) : { message };
      lines.write(JSON.stringify({ ...more, ...fields }));
    }
  }
  return new Kept({ json: true, logLevels: ['debug', 'log', 'warn', 'error'] });
}

describe('a logger of the host', () => {
  const hosts = handlerHosts();

  test.each([
    ['pino', pinoLogger],
    ['winston', winstonLogger],
    ['that of Nest', nestLogger],
  ])('gets a message with fields: %s', async (_, make) => {
    const lines = new Lines();
    const fail = () => {
      throw new RangeError('not told');
    };
    const host = await hosts.boot([handlerOf('fails', fail), handlerOf('good')], {
      options: { log: { level: 'debug' } },
    });
    host.app.useLogger(make(lines));
    await host.app.listen(0, '127.0.0.1');
    const body = webhook({ id: 'EV_1', event: 'room_finished' });
    await fetch(`${await host.app.getUrl()}/voice/livekit/webhooks`, {
      method: 'POST',
      body,
      headers: signWebhook(body, { ...TEST_KEY, now: NOW }),
    });
    await host.deliveries.drain();
    const told = lines.all.filter(({ message }) => message === 'webhook' || message === 'delivery');
    expect(told.find(({ message }) => message === 'webhook')).toMatchObject({
      context: 'LivekitWebhook',
      outcome: 'accepted',
      id: 'EV_1',
      status: 200,
    });
    expect(told.find(({ handler }) => handler === 'fails')).toMatchObject({
      context: 'DeliveryRunner',
      message: 'delivery',
      outcome: 'retry',
      errorType: 'RangeError',
      errorStack: expect.stringContaining('loggers.spec'),
    });
    expect(told.find(({ handler }) => handler === 'good')).toMatchObject({ outcome: 'done', attempt: 1 });
  });
});
