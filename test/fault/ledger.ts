import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A run of a handler, as it is told in the ledger when it begins. */
export interface Run {
  handler: string;
  /** The delivery's id. */
  delivery: number;
  attempt: number;
  /** Its idempotency key. */
  key: string;
  /** The event's id. */
  event: string;
  /** The room's sid. */
  room: string;
  /** The process that runs it. */
  by: number;
}

/** A run, and what became of it; times are milliseconds of the machine's monotonic clock, which all processes share. */
export interface LedgerRun extends Run {
  begunAt: number;
  /** `undefined`: its process did not live to tell. */
  endedAt?: number;
  succeeded: boolean;
}

interface Line extends Run {
  at: number;
  what: 'begun' | 'succeeded' | 'failed';
}

/** Where handlers write down that they are run, outside of any database: what stands in it was done, whatever dies next. */
export class Ledger {
  private readonly file: number;

  constructor(folder: string) {
    this.file = openSync(join(folder, FILE), 'a');
  }

  /** Writes down a run as it goes; rejects as `work` does. */
  async keep<T>(run: Run, work: () => Promise<T>): Promise<T> {
    this.write(run, 'begun');
    try {
      const result = await work();
      this.write(run, 'succeeded');
      return result;
    } catch (error) {
      this.write(run, 'failed');
      throw error;
    }
  }

  private write(run: Run, what: Line['what']): void {
    writeSync(this.file, `${JSON.stringify({ ...run, what, at: now() } satisfies Line)}\n`);
  }
}

/** Reads what all processes have written down, the run that began first first. */
export function readLedger(folder: string): LedgerRun[] {
  const file = join(folder, FILE);
  if (!existsSync(file)) return [];
  const open = new Map<string, LedgerRun>();
  const runs: LedgerRun[] = [];
  // What comes after the last line end is being written: a file may be read in the middle of that.
  for (const text of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const { at, what, ...run } = JSON.parse(text) as Line;
    const id = `${run.by} ${run.delivery} ${run.attempt}`;
    if (what === 'begun') {
      const begun = { ...run, begunAt: at, succeeded: false };
      runs.push(begun);
      open.set(id, begun);
    } else {
      Object.assign(open.get(id) as LedgerRun, { endedAt: at, succeeded: what === 'succeeded' });
    }
  }
  return runs.sort((a, b) => a.begunAt - b.begunAt);
}

/** Whether a process has begun a run (one of these, if told) and not ended it. */
export const isOpenBy =
  ({ pid }: { pid: number }, some?: readonly LedgerRun[]) =>
  (run: LedgerRun): boolean =>
    run.by === pid &&
    run.endedAt === undefined &&
    (some === undefined ||
      some.some(({ delivery, attempt }) => delivery === run.delivery && attempt === run.attempt));

/** Those of these runs whose delivery a process has not run. */
export const notRunBy = (
  { pid }: { pid: number },
  runs: readonly LedgerRun[],
  folder: string,
): LedgerRun[] => {
  const run = new Set(readLedger(folder).flatMap(({ by, delivery }) => (by === pid ? [delivery] : [])));
  return runs.filter(({ delivery }) => !run.has(delivery));
};

const FILE = 'ledger.jsonl';

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
