import { parseArgs } from 'node:util';

/** A command, as the command line names it. */
export type Command =
  | { name: 'help' }
  | { name: 'migrate'; database: string }
  | { name: 'migrate-store'; from: string; to: string }
  | { name: 'release'; from: string };

/** The command line is not understood; the message says what is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The text of `--help`. */
export const USAGE = `Usage: livekit-webhooks <command>

  migrate [--database <url>]
      Brings the schema of a database up to this version, as the application does when it starts.

  migrate-store --from file:./data/voice.sqlite [--to postgres://user:password@host/database]
      Copies an SQLite store into an empty PostgreSQL database, and compares the two. No application may run on either.
      Interrupted, it goes on where it was when it is called again.

  migrate-store --from file:./data/voice.sqlite --release
      Gives a store back to the application that has been moved, or was about to be.

--database and --to are what DATABASE_URL says by default: credentials on a command line can be seen by others.

Exit codes: 0 done, 1 failed on the way (call it again), 2 wrong arguments, 3 refused (the message names the cure).
`;

/** Reads the command line. @throws UsageError */
export function readArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command {
  const { values, positionals } = parsed(args);
  const { help, database, from, to, release } = values;
  const [command, ...others] = positionals;
  if (help || command === 'help') return { name: 'help' };
  if (others.length > 0) throw new UsageError(`one argument too many: ${command} takes none but options`);
  const url = env['DATABASE_URL'] || undefined;
  if (command === 'migrate') {
    allow(values, 'database');
    return { name: command, database: database ?? url ?? needed('--database', 'DATABASE_URL') };
  }
  if (command === 'migrate-store') {
    allow(values, 'from', release ? 'release' : 'to');
    if (from === undefined)
      throw new UsageError('--from is missing: the SQLite file, `file:./data/voice.sqlite`');
    if (release) return { name: 'release', from };
    return { name: command, from, to: to ?? url ?? needed('--to', 'DATABASE_URL') };
  }
  throw new UsageError(command === undefined ? 'a command is missing' : 'there is no such command');
}

function parsed(args: readonly string[]) {
  const { tokens, ...read } = tokenized(args);
  const given = tokens.flatMap((token) => (token.kind === 'option' ? token.name : []));
  const twice = given.find((option, nth) => given.indexOf(option) !== nth);
  if (twice !== undefined) throw new UsageError(`--${twice} is given more than once: give it once`);
  return read;
}

function tokenized(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      tokens: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        database: { type: 'string' },
        from: { type: 'string' },
        to: { type: 'string' },
        release: { type: 'boolean' },
      },
    });
  } catch (error) {
    // Not its own message: an argument that it quotes may hold a password.
    const { code } = error as { code?: string };
    throw new UsageError(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
        ? 'there is no such option'
        : 'an option lacks its value, or has one too many',
    );
  }
}

function allow(values: object, ...options: string[]): void {
  const other = Object.keys(values).find((option) => !options.includes(option));
  if (other !== undefined) throw new UsageError(`--${other} does not belong here`);
}

function needed(option: string, variable: string): never {
  throw new UsageError(`${option} is missing, and ${variable} is not set`);
}
