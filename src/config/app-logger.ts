import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/** How the application logs. */
export interface AppLoggerOptions {
  /** `json`: an object a line; `pretty`: for people. */
  format: 'json' | 'pretty';
  /** The least that is logged. */
  level: LogLevel;
}

/** From the least to the most urgent. */
const LEVELS: LogLevel[] = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'];

/** Logs one line a message; the fields of a structured one stand at the top of its line. */
export class AppLogger extends ConsoleLogger {
  constructor({ format, level }: AppLoggerOptions) {
    super({
      logLevels: LEVELS.slice(LEVELS.indexOf(level)),
      json: format === 'json',
      colors: format === 'pretty' && process.stdout.isTTY,
    });
  }

  protected override printAsJson(
    message: unknown,
    {
      context,
      logLevel,
      errorStack,
      writeStreamType = 'stdout',
    }: Parameters<ConsoleLogger['printAsJson']>[1],
  ): void {
    const line = {
      level: logLevel,
      time: new Date().toISOString(),
      context: context || undefined,
      ...fieldsOf(message),
      ...(errorStack !== undefined && { stack: String(errorStack) }),
    };
    process[writeStreamType].write(`${JSON.stringify(line, plain)}\n`);
  }

  protected override stringifyMessage(message: unknown, logLevel: LogLevel): string {
    if (typeof message === 'string') return super.stringifyMessage(message, logLevel);
    const fields = Object.entries(fieldsOf(message)).map(([name, value]) => `${name}=${readable(value)}`);
    return super.stringifyMessage(fields.join(' '), logLevel);
  }
}

function fieldsOf(message: unknown): Record<string, unknown> {
  if (message instanceof Error) return { message: message.message, stack: message.stack };
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) return { ...message };
  return { message };
}

// What came from outside is quoted where it could be taken for a field or a line of its own.
function readable(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, plain);
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}

const plain = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
