import type { DataSource, EntityManager } from 'typeorm';
import { createDataSource, type DataSourceSettings } from '../data-source.js';
import { parseDatabaseUrl, toldUrl } from '../database-url.js';
import { DatabaseUnreachableError } from '../errors.js';
import { hasTable } from '../has-table.js';
import { migrate } from '../migrate.js';
import { requireUnicode } from '../postgres/connections.js';
import { bytes, SqlParameters } from '../sql.js';
import type { SourceRow } from './batches.js';
import { MoveRefusedError } from './errors.js';
import { MOVED_IN, MOVING_IN, NOT_MOVED } from './marks.js';
import { rowText, type TargetValue } from './rows-hash.js';
import type { RowKey } from './source-store.js';
import type { MovedTable, TargetTable } from './tables.js';

/** How far a table has come. */
export interface TableProgress {
  /** The key of the last row that is there. */
  after: RowKey | null;
  rows: number;
}

/** The PostgreSQL store that another is moved into. */
export class TargetStore {
  private constructor(
    private readonly settings: DataSourceSettings,
    private readonly dataSource: DataSource,
  ) {}

  /** Connects. @throws MoveRefusedError when it is not PostgreSQL, DatabaseUnreachableError */
  static async open(url: string): Promise<TargetStore> {
    if (parseDatabaseUrl(url).dialect !== 'postgres') {
      throw new MoveRefusedError(
        '`--to` must be a PostgreSQL database: `postgres://user:password@host/database`',
      );
    }
    // Nothing waits for this store yet, and a large table takes long to count.
    const settings = { url, poolSize: 2, statementTimeout: 0 };
    const dataSource = createDataSource(settings);
    await dataSource.initialize().catch((error: unknown) => {
      throw new DatabaseUnreachableError(toldUrl(url), error);
    });
    await requireUnicode(dataSource).catch(async (error: unknown) => {
      await dataSource.destroy();
      throw error;
    });
    return new TargetStore(settings, dataSource);
  }

  /** Brings the schema up to this version. */
  migrate(): Promise<void> {
    return migrate(this.dataSource, this.settings, 'run');
  }

  /** Our own tables. */
  async tables(): Promise<TargetTable[]> {
    const tables = await this.dataSource.query<
      (Pick<TargetTable, 'name' | 'columns'> & { sequence: string | null })[]
    >(
      `SELECT c.relname AS name, max(pg_get_serial_sequence(c.oid::regclass::text, a.attname)) AS sequence,
         json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum) AS columns
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       WHERE c.relkind = 'r' AND c.relname LIKE 'livekit\\_%' AND pg_table_is_visible(c.oid)
       GROUP BY c.relname ORDER BY c.relname`,
    );
    return tables.map(({ name, columns, sequence }) => ({
      name,
      columns,
      ...(sequence !== null && { sequence }),
    }));
  }

  /** The move that has filled this store, if one has. */
  async finishedMove(): Promise<string | undefined> {
    return (await this.moveIn(this.dataSource.manager, MOVED_IN)) ?? undefined;
  }

  /**
   * Checks that this move may begin or resume here.
   *
   * @throws MoveRefusedError when another move is in progress, or the store is in use.
   */
  async requireReady(id: string, manager: EntityManager = this.dataSource.manager): Promise<void> {
    const moving = await this.moveIn(manager, MOVING_IN);
    if (moving === id) return;
    if (moving !== null) {
      throw new MoveRefusedError(
        'another store is being moved into the target, or this one was before its mark was taken off. Give another, empty database as ' +
          '`--to`, or drop this one and make it anew',
      );
    }
    const filled: string[] = [];
    for (const { name } of await this.tables()) {
      if (name === MOVED_IN) filled.push(name);
      if (NOT_MOVED.has(name)) continue;
      const [row] = await manager.query<{ filled: boolean }[]>(
        `SELECT EXISTS (SELECT FROM ${name}) AS filled`,
      );
      if (row?.filled) filled.push(name);
    }
    if (filled.length === 0) return;
    throw new MoveRefusedError(
      `the target is not empty (${filled.join(', ')}): an application has been started on it, or a store moved into it. Stop what uses ` +
        'it, and give an empty database as `--to`: another one, or this one dropped and made anew',
    );
  }

  /** Begins or resumes a move: from now on no application starts here. */
  async begin(id: string, tables: readonly MovedTable[]): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      // No other move begins meanwhile, and nothing is appended.
      await manager.query('LOCK TABLE livekit_events IN ACCESS EXCLUSIVE MODE');
      await this.requireReady(id, manager);
      await manager.query(
        `CREATE TABLE IF NOT EXISTS ${MOVING_IN} (
           name text PRIMARY KEY, move_id text NOT NULL, after_key text, rows bigint NOT NULL DEFAULT 0)`,
      );
      await manager.query(
        `INSERT INTO ${MOVING_IN} (name, move_id) SELECT unnest($1::text[]), $2 ON CONFLICT (name) DO NOTHING`,
        [tables.map(({ name }) => name), id],
      );
    });
  }

  /** How far a table has come. */
  async progress({ name }: MovedTable): Promise<TableProgress> {
    const [row] = await this.dataSource.query<{ after_key: string | null; rows: string }[]>(
      `SELECT after_key, rows FROM ${MOVING_IN} WHERE name = $1`,
      [name],
    );
    const after = row?.after_key == null ? null : (JSON.parse(row.after_key) as RowKey);
    return { after, rows: Number(row?.rows ?? 0) };
  }

  /** Writes rows, and how far the table has come with them, in one transaction. */
  async write(table: MovedTable, rows: readonly (readonly TargetValue[])[], after: RowKey): Promise<void> {
    const { name, columns } = table;
    const p = new SqlParameters('postgres');
    const values = p.rows(
      columns.map(({ type }) => type),
      rows,
    );
    await this.dataSource.transaction(async (manager) => {
      await manager.query(
        `INSERT INTO ${name} (${columns.map((column) => column.name).join()}) OVERRIDING SYSTEM VALUE ${values}`,
        p.values,
      );
      await manager.query(`UPDATE ${MOVING_IN} SET after_key = $1, rows = rows + $2 WHERE name = $3`, [
        JSON.stringify(after),
        rows.length,
        name,
      ]);
    });
  }

  /** The hash of the rows that have these keys, in their order. */
  async hashOf({ name, columns, key }: MovedTable, keys: readonly RowKey[]): Promise<string> {
    const p = new SqlParameters('postgres');
    const types = key.map((column) => columns.find((one) => one.name === column)?.type ?? 'text');
    const arrays = types.map((type, nth) => `${p.add(keys.map((one) => one[nth]))}::${type}[]`);
    const [row] = await this.dataSource.query<{ hash: string }[]>(
      `SELECT encode(sha256(convert_to(coalesce(string_agg(${rowText(columns)}, '' ORDER BY nth), ''), 'UTF8')), 'hex') AS hash
       FROM unnest(${arrays.join()}) WITH ORDINALITY AS keys (${key.map((_, nth) => `key${nth}`).join()}, nth)
       JOIN ${name} t ON ${key.map((column, nth) => `t.${column} = key${nth}`).join(' AND ')}`,
      p.values,
    );
    return row?.hash ?? '';
  }

  /** How many rows a table has. */
  async count({ name }: MovedTable): Promise<number> {
    const [row] = await this.patiently<{ count: string }[]>(`SELECT count(*) AS count FROM ${name}`);
    return Number(row?.count);
  }

  /** Numbers a table's next rows from there on, and updates the planner's statistics of it. */
  async ready({ name, sequence }: MovedTable, lastNumber: number): Promise<void> {
    if (sequence !== undefined && lastNumber > 0) {
      await this.dataSource.query('SELECT setval($1, $2)', [sequence, lastNumber]);
    }
    await this.patiently(`ANALYZE ${name}`);
  }

  /** Lets applications start here. */
  async finish(): Promise<void> {
    await this.dataSource.query(`ALTER TABLE ${MOVING_IN} RENAME TO ${MOVED_IN}`);
  }

  close(): Promise<void> {
    return this.dataSource.destroy();
  }

  // The database's own timeouts do not hold in a transaction of ours.
  private patiently<Result>(statement: string): Promise<Result> {
    return this.dataSource.transaction((manager) => manager.query<Result>(statement));
  }

  private async moveIn(manager: EntityManager, table: string): Promise<string | null> {
    if (!(await hasTable(manager, table))) return null;
    const [row] = await manager.query<{ move_id: string }[]>(`SELECT move_id FROM ${table} LIMIT 1`);
    return row?.move_id ?? '';
  }
}

/** A row as PostgreSQL's driver accepts it. */
export const toTarget = ({ columns }: MovedTable, row: SourceRow): TargetValue[] =>
  row.map((value, nth) => {
    if (value === null) return null;
    if (columns[nth]?.type === 'boolean') return Boolean(value);
    return typeof value === 'object' ? bytes(value as Buffer | ArrayBuffer) : value;
  });
