import { Logger } from '@nestjs/common';
import { inspect } from 'node:util';
import { activeTraceparent, traceIdOf } from '../tracing/trace-context.js';
import { fieldValue } from './field-values.js';
import {
  type FieldsOf,
  fieldsOf,
  type Level,
  LOG_FIELDS,
  type LogContext,
  type MessageOf,
} from './log-lines.js';

/**
 * The logger of one context, writing through Nest's `LoggerService`: a constant message, and fields, of which only those
 * that `LOG_LINES` lists for the message are logged.
 */
export class Log<C extends LogContext> {
  private readonly logger: Logger;

  constructor(private readonly context: C) {
    this.logger = new Logger(context);
  }

  debug<M extends MessageOf<C, 'debug'>>(message: M, fields: FieldsOf<C, M> = {}): void {
    this.write('debug', message, fields);
  }

  log<M extends MessageOf<C, 'log'>>(message: M, fields: FieldsOf<C, M> = {}): void {
    this.write('log', message, fields);
  }

  warn<M extends MessageOf<C, 'warn'>>(message: M, fields: FieldsOf<C, M> = {}): void {
    this.write('warn', message, fields);
  }

  error<M extends MessageOf<C, 'error'>>(message: M, fields: FieldsOf<C, M> = {}): void {
    this.write('error', message, fields);
  }

  /** Logs at a level that is chosen at run time. */
  write<L extends Level, M extends MessageOf<C, L>>(level: L, message: M, given: FieldsOf<C, M>): void {
    const fields: Record<string, unknown> = given;
    const line = new LogLine(message);
    for (const name of fieldsOf(this.context, message)) {
      const value = fieldValue(LOG_FIELDS[name], fields[name]);
      if (value !== undefined) line[name] = value;
    }
    const traceId = fields['traceId'] ?? traceIdOf(activeTraceparent());
    if (traceId != null) line['traceId'] = traceId;
    this.logger[level](line);
  }
}

/** A message with its fields, as pino and winston take them; a logger that prints objects for people gets one line. */
class LogLine {
  [field: string]: unknown;

  constructor(readonly message: string) {}

  [inspect.custom](): string {
    const { message, ...fields } = this;
    if (Object.keys(fields).length === 0) return message;
    return `${message} ${inspect(fields, { breakLength: Infinity, compact: true })}`;
  }
}
