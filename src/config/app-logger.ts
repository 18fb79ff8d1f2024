import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { LineWriter } from './line-writer.js';

/** How the application logs. */
export interface AppLoggerOptions {
  /** `json`: an object a line; `pretty`: for people. */
  format: 'json' | 'pretty';
  /** The least urgent level that is logged. */
  level: LogLevel;
}

/** From the least to the most urgent. */
const LEVELS: LogLevel[] = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'];

/** Where the lines go. */
export type LineOutputs = Record<'stdout' | 'stderr', Pick<LineWriter, 'write'>>;

const STREAMS: LineOutputs = {
  stdout: new LineWriter(process.stdout),
  stderr: new LineWriter(process.stderr),
};

/** Logs one line per message; the fields of a structured message are top-level fields of its line. */
export class AppLogger extends ConsoleLogger {
  constructor(
    { format, level }: AppLoggerOptions,
    private readonly outputs: LineOutputs = STREAMS,
  ) {
    super({
      logLevels: LEVELS.slice(LEVELS.indexOf(level)),
      json: format === 'json',
      // Without a terminal `isTTY` is undefined, which Nest would take as unset, and use colours.
      colors: format === 'pretty' && process.stdout.isTTY === true,
    });
  }

  // Overridden because all levels pass through here: errors and further arguments belong on the message's line.
  protected override printMessages(
    messages: unknown[],
    context = '',
    level: LogLevel = 'log',
    stream: 'stdout' | 'stderr' = 'stdout',
    stack?: unknown,
    params?: Record<string, unknown>,
  ): void {
    const [message, ...more] = messages.map((each) => this.resolveMessage(each));
    const isUrgent = LEVELS.indexOf(level) >= LEVELS.indexOf('error');
    const time = new Date().toISOString();
    const line: Line = new EmptyLine();
    const addAll = (fields: Record<string, unknown>) => {
      add(line, fields);
      for (const extra of [...more, params]) add(line, fieldsOf(extra, 'detail'));
      if (stack !== line['stack']) add(line, { stack });
    };
    if (this.options.json === true) {
      add(line, { level, time, ...(context && { context }) });
      addAll(fieldsOf(message, 'message'));
      this.outputs[stream].write(jsonLine(line), isUrgent);
    } else {
      const { said, fields } = saidIn(message);
      addAll(fields);
      const start = `${time} ${this.colorize(level.toUpperCase().padEnd(7), level)} ${this.formatContext(text(context))}`;
      const words = said === undefined ? [] : [text(said)];
      this.outputs[stream].write(`${start}${[...words, ...pairs(line)].join(' ')}`, isUrgent);
    }
  }

  // It is already on its message's line.
  protected override printStackTrace(): void {}
}

/** The words of a message that people read, and its fields. */
function saidIn(message: unknown): { said: string | undefined; fields: Record<string, unknown> } {
  const { message: said, ...fields } = fieldsOf(message, 'message');
  return typeof said === 'string' && !(message instanceof Error)
    ? { said, fields }
    : { said: undefined, fields: fieldsOf(message, 'message') };
}

function fieldsOf(value: unknown, name: string): Record<string, unknown> {
  if (value instanceof Error) {
    return { [name === 'message' ? name : 'error']: value.message, stack: value.stack };
  }
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord && Object.keys(value).length > 0 && !ArrayBuffer.isView(value)
    ? (value as Record<string, unknown>)
    : { [name]: value };
}

/** The fields of a line, in their order. */
type Line = Record<string, unknown>;

/** Has none yet, not even inherited ones: a field may have any name. */
const EmptyLine = class {} as new () => Line;
Object.setPrototypeOf(EmptyLine.prototype, null);
delete (EmptyLine.prototype as { constructor?: unknown }).constructor;

// A name that is already taken gets a `_`: nothing is lost, and no message can pass for the line's own fields.
function add(line: Line, fields: Record<string, unknown>): void {
  for (const name of Object.keys(fields)) {
    let free = name;
    while (free in line) free += '_';
    if (fields[name] !== undefined) line[free] = fields[name];
  }
}

// Nearly everything logged is plain: a replacer, or a field at a time, would take five times as long.
const jsonLine = (line: Line): string =>
  legible(
    Object.values(line).every(isPlain)
      ? JSON.stringify(line)
      : `{${Object.entries(line)
          .map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`)
          .join(',')}}`,
  );

const isPlain = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';

const pairs = (line: Line): string[] =>
  Object.entries(line).map(([name, value]) => `${readable(name)}=${readable(value)}`);

// Text from outside is quoted where it could be taken for a field or a line of its own.
const readable = (value: unknown): string =>
  typeof value === 'string' && /^[^\s"=\p{C}]+$/u.test(value) ? value : legible(jsonOf(value));

const text = (value: string): string => (/[\p{C}\p{Zl}\p{Zp}]/u.test(value) ? legible(jsonOf(value)) : value);

function jsonOf(value: unknown): string {
  if (isPlain(value)) return JSON.stringify(value);
  const parents: unknown[] = [];
  function plain(this: unknown, _name: string, item: unknown): unknown {
    if (typeof item === 'bigint') return String(item);
    if (item instanceof Error) return item.stack ?? item.message;
    if (typeof item !== 'object' || item === null) return item;
    while (parents.length > 0 && parents.at(-1) !== this) parents.pop();
    if (parents.includes(item)) return '[circular]';
    parents.push(item);
    return item;
  }
  try {
    return JSON.stringify(value, plain) ?? `"[${typeof value}]"`;
  } catch {
    return '"[unprintable]"';
  }
}

// Escapes controls, line ends and direction marks that JSON leaves as they are, and a terminal would obey.
const legible = (json: string): string =>
  json.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
