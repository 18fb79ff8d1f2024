import { DatabaseConfigurationError, DatabaseInUseError } from '../database/errors.js';
import { EventStore } from '../database/event-store.js';
import { toldUrl } from '../database/database-url.js';
import {
  HalfMovedStoreError,
  MovedStoreDiffersError,
  MoveRefusedError,
  StoreMovedError,
} from '../database/moving/errors.js';
import { type MovedStore, moveStore, releaseStore } from '../database/moving/move-store.js';
import { type Command, readArguments, USAGE, UsageError } from './arguments.js';
import { grouped, progressLines } from './progress-lines.js';

/** Where a command writes to, line by line. */
export interface Output {
  /** For results. */
  out(line: string): void;
  /** For progress, and for errors. */
  err(line: string): void;
}

/** Errors that only the cure in their message resolves: running the command again would not help. */
const REFUSALS = [
  DatabaseConfigurationError,
  DatabaseInUseError,
  HalfMovedStoreError,
  StoreMovedError,
  MoveRefusedError,
  MovedStoreDiffersError,
];

/** Runs the command line. @returns the exit code: 0 done, 1 failed, 2 wrong arguments, 3 refused. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  output: Output,
): Promise<number> {
  try {
    await execute(readArguments(args, env), output);
    return 0;
  } catch (error) {
    output.err(reasonOf(error));
    if (error instanceof UsageError) {
      output.err('`livekit-webhooks --help` tells how it is used');
      return 2;
    }
    return REFUSALS.some((refusal) => error instanceof refusal) ? 3 : 1;
  }
}

async function execute(command: Command, { out, err }: Output): Promise<void> {
  switch (command.name) {
    case 'help':
      return out(USAGE.trimEnd());
    case 'migrate': {
      const store = await EventStore.open({ url: command.database });
      await store.close();
      return out(`the schema of ${toldUrl(command.database)} is that of this version`);
    }
    case 'release':
      releaseStore(command.from);
      return out(
        `${command.from} may be used again; what is written into it will be missing where it was moved to`,
      );
    case 'migrate-store': {
      const start = performance.now();
      const moved = await moveStore({ ...command, onProgress: progressLines(err) });
      for (const line of summaryOf(moved, (performance.now() - start) / 1_000)) out(line);
    }
  }
}

function summaryOf({ target, tables, leftBehind }: MovedStore, seconds: number): string[] {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const width = Math.max(...tables.map(({ name }) => name.length));
  return [
    ...tables.map(({ name, rows: count }) => `${name.padEnd(width)} ${grouped(count).padStart(12)}`),
    tables.length === 0
      ? `the store had been moved to ${target} before`
      : `${grouped(rows)} rows of ${tables.length} tables are in ${target}, equal by counts and hashes, after ${seconds.toFixed(1)} s`,
    ...(leftBehind.length > 0
      ? [`tables that are not ours, and were not moved: ${leftBehind.join(', ')}`]
      : []),
    'start the application with that as its DATABASE_URL: it refuses the SQLite file from now on',
  ];
}

/** The message of an error, and nothing else of it: a driver's error may hold the URL, with its password. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : 'failed for no reason that is known';
}
