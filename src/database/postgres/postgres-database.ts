import type { EventStoreOptions } from '../event-store-options.js';
import type { StoreDatabase, TransactionLimits, Work } from '../store-database.js';
import { despiteConflicts } from './conflicts.js';
import { connect, type PostgresConnections } from './connections.js';
import { listenOnPostgres } from './listener.js';
import { isConnectionLost } from './lost-connection.js';
import type { PipelinedWrite } from './pipelined-writer.js';

/** PostgreSQL, on connections of our own for webhooks, for handlers and for all else. */
export class PostgresDatabase implements StoreDatabase {
  readonly dialect = 'postgres';

  private constructor(
    private readonly connections: PostgresConnections,
    private readonly listenUrl: string,
  ) {}

  /** Connects, and brings the schema up to date. @throws what `EventStore.open` does. */
  static async open(options: EventStoreOptions): Promise<PostgresDatabase> {
    return new PostgresDatabase(await connect(options), options.listenUrl ?? options.url);
  }

  get hasHostTransactions(): boolean {
    return this.connections.hostHandlers !== undefined;
  }

  transaction<T>(work: Work<T>, { signal }: TransactionLimits): Promise<T> {
    return this.connections.handlers.run(work, signal);
  }

  hostTransaction<T>(work: Work<T>, { signal }: TransactionLimits): Promise<T> {
    const { handlers, hostHandlers = handlers } = this.connections;
    return hostHandlers.run(work, signal);
  }

  write<T>(work: Work<T>): Promise<T> {
    return despiteConflicts(() => this.onPool((manager) => manager.transaction(work)));
  }

  writePipelined<Row extends object>(write: PipelinedWrite): Promise<Row[]> {
    return despiteConflicts(() => this.connections.pipelined.write<Row>(write));
  }

  read<T>(query: Work<T>): Promise<T> {
    return this.onPool(query);
  }

  listen(
    channel: string,
    onNotified: (payload: string) => void,
    onLost: () => void,
  ): Promise<() => Promise<void>> {
    return listenOnPostgres(this.listenUrl, channel, onNotified, onLost);
  }

  emptyLogNow(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  private async onPool<T>(work: Work<T>): Promise<T> {
    const runner = this.connections.pool.createQueryRunner();
    const connection: PostgresConnection = await runner.connect();
    try {
      return await work(runner.manager);
    } catch (error) {
      if (isConnectionLost(error)) void connection.end().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }
}

interface PostgresConnection {
  end(): Promise<void>;
}
