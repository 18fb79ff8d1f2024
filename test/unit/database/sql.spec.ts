import Database from 'libsql';
import { jsonText, SqlParameters } from '../../../src/database/sql.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe.each(['sqlite', 'postgres'] as const)('the text of a statement, on %s', (dialect) => {
  const texts = (count: number) => {
    const p = new SqlParameters(dialect);
    const rows = numbers(count).map((n) => [n, `text ${n}`]);
    return [p.isOneOf('id', numbers(count)), p.rows(['bigint', 'text'], rows)];
  };

  test('stays the same, however many values its lists have', () => {
    expect(texts(100)).toEqual(texts(1));
    expect(texts(0)).toEqual(texts(1));
  });
});

describe('lists on SQLite', () => {
  const database = new Database(':memory:');
  afterAll(() => database.close());
  const found = (write: (p: SqlParameters) => string): unknown[] => {
    const p = new SqlParameters('sqlite');
    const text = write(p);
    return database
      .prepare(text)
      .raw()
      .all(...p.values);
  };

  test('are read as what was written: numbers, texts with anything in them, and nothing', () => {
    const rows = [
      [Number.MAX_SAFE_INTEGER, `it's "quoted" \\ and {"json": [1]}`, null],
      [-1.5, '\u{1f399} \u2028 line\nend', 'x'],
    ];
    expect(found((p) => p.rows(['bigint', 'text', 'text'], rows))).toEqual(rows);
  });

  test('hold what is in them, and nothing else', () => {
    const among = (values: unknown[]) =>
      found(
        (p) =>
          `SELECT column1 FROM (VALUES (1), (2), ('2'), ('it''s')) WHERE ${p.isOneOf('column1', values)}`,
      ).flat();
    expect(among([2, 3])).toEqual([2]);
    expect(among(["it's", '2'])).toEqual(['2', "it's"]);
    expect(among([])).toEqual([]);
  });
});

describe('JSON for SQLite to take texts from', () => {
  test('has no half of a surrogate pair', () => {
    expect(
      jsonText([
        ['cut \uD83D', 'whole 😀'],
        [1, null],
      ]),
    ).toBe('[["cut \uFFFD","whole 😀"],[1,null]]');
  });

  test('is otherwise what it always is', () => {
    const rows = [['\\ud83d in letters', { deep: ['\uDE00'] }], [true]];
    expect(JSON.parse(jsonText(rows))).toEqual([['\\ud83d in letters', { deep: ['\uFFFD'] }], [true]]);
  });
});
