import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';
import { type Dialect, dialectOf, SqlParameters } from './sql.js';

/** Rows in one statement, which must not grow without bound. */
const ROWS = 1_000;

interface ColumnShape {
  column: string;
  property: string;
  /** The name of its type on PostgreSQL. */
  type: string;
  isJson: boolean;
  isGenerated: boolean;
}

/**
 * Reads and writes many rows of an entity at once, as plain objects. TypeORM would build a condition for each one requested,
 * and a parameter, a class and its transformers for each column: for the rows of a few rooms that takes longer than the
 * database.
 */
export class EntityRows<E extends ObjectLiteral> {
  private readonly table: string;
  private readonly columns: readonly ColumnShape[];
  private readonly dialect: Dialect;

  constructor(
    private readonly manager: EntityManager,
    entity: EntityTarget<E>,
  ) {
    const metadata = manager.dataSource.getMetadata(entity);
    this.table = metadata.tableName;
    this.columns = metadata.columns.map(({ databaseName, propertyName, type, isGenerated }) => ({
      column: databaseName,
      property: propertyName,
      type: type === 'simple-json' ? 'text' : type === Number ? 'integer' : String(type),
      isJson: type === 'simple-json',
      isGenerated,
    }));
    this.dialect = dialectOf(manager);
  }

  /** Finds the rows that are equal to one of the examples in some properties. */
  async find<K extends keyof E & string>(by: readonly K[], examples: readonly Pick<E, K>[]): Promise<E[]> {
    const key = this.named(by);
    const found: E[] = [];
    for (let from = 0; from < examples.length; from += ROWS) {
      const p = new SqlParameters(this.dialect);
      const wanted = this.values(p, key, examples.slice(from, from + ROWS));
      const rows = await this.manager.query<Record<string, unknown>[]>(
        `SELECT ${namesOf(this.columns)} FROM ${this.table} WHERE (${namesOf(key)}) IN (${wanted})`,
        p.values,
      );
      for (const row of rows) found.push(this.read(row));
    }
    return found;
  }

  /** Inserts rows, or replaces those that have the same key. */
  async upsert<K extends keyof E & string>(rows: readonly Partial<E>[], by: readonly K[]): Promise<void> {
    const key = this.named(by);
    const columns = this.columns.filter((column) => !column.isGenerated || key.includes(column));
    const changed = columns.filter((column) => !key.includes(column));
    for (let from = 0; from < rows.length; from += ROWS) {
      const p = new SqlParameters(this.dialect);
      const values = this.values(p, columns, rows.slice(from, from + ROWS));
      await this.manager.query(
        `INSERT INTO ${this.table} (${namesOf(columns)}) ${values} ON CONFLICT (${namesOf(key)}) DO UPDATE SET
         ${changed.map(({ column }) => `${column} = excluded.${column}`).join()}`,
        p.values,
      );
    }
  }

  private named(properties: readonly string[]): ColumnShape[] {
    return properties.map((name) => this.columns.find(({ property }) => property === name) as ColumnShape);
  }

  private values(p: SqlParameters, columns: readonly ColumnShape[], rows: readonly object[]): string {
    return p.rows(
      columns.map(({ type }) => type),
      rows.map((row) =>
        columns.map((column) => this.written(column, (row as Record<string, unknown>)[column.property])),
      ),
    );
  }

  private written({ isJson, type }: ColumnShape, value: unknown): unknown {
    if (value === null || value === undefined) return null;
    if (isJson) return JSON.stringify(value);
    return type === 'boolean' && this.dialect === 'sqlite' ? Number(value) : value;
  }

  private read(row: Record<string, unknown>): E {
    const entity: Record<string, unknown> = {};
    for (const { column, property, type, isJson } of this.columns) {
      const value = row[column];
      if (value === null) entity[property] = null;
      else if (isJson) entity[property] = JSON.parse(value as string);
      else if (type === 'bigint') entity[property] = Number(value);
      else entity[property] = type === 'boolean' ? Boolean(value) : value;
    }
    return entity as E;
  }
}

const namesOf = (columns: readonly ColumnShape[]): string => columns.map(({ column }) => column).join();
