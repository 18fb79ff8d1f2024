import type { EntityManager } from 'typeorm';
import type { PipelinedWrite } from './postgres/pipelined-writer.js';
import type { Dialect } from './sql.js';
import type { StagedWrite } from './sqlite/staged-write.js';
import type { WriteLane } from './sqlite/write-lock.js';

/** What is done in a transaction. */
export type Work<T> = (manager: EntityManager) => Promise<T>;

/** What ends a transaction before its time. */
export interface TransactionLimits {
  /** Rolls it back. */
  signal?: AbortSignal | undefined;
  /** How long it has on SQLite, milliseconds. */
  deadline?: number | undefined;
}

/** What the two databases do in ways of their own for the `EventStore`, which says what each method promises. */
export interface StoreDatabase {
  readonly dialect: Dialect;
  readonly hasHostTransactions: boolean;
  transaction<T>(work: Work<T>, limits: TransactionLimits): Promise<T>;
  hostTransaction<T>(work: Work<T>, limits: TransactionLimits): Promise<T>;
  write<T>(work: Work<T>, lane: WriteLane): Promise<T>;
  /** SQLite's alone. */
  writeStaged?<T>(write: StagedWrite<T>): Promise<T>;
  /** PostgreSQL's alone. */
  writePipelined?<Row extends object>(write: PipelinedWrite): Promise<Row[]>;
  read<T>(query: Work<T>): Promise<T>;
  listen(
    channel: string,
    onNotified: (payload: string) => void,
    onLost: () => void,
  ): Promise<() => Promise<void>>;
  emptyLogNow(): Promise<boolean>;
  close(): Promise<void>;
}
