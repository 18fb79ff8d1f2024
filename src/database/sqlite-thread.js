/** SQLite on a thread of its own: what `SqliteThread` asks is done here, one statement after another. Node loads this file by itself. */
import Database from 'libsql';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ path: string; settings: string[] }} */
const { path, settings } = workerData;
const database = new Database(path);
for (const setting of settings) database.exec(`PRAGMA ${setting}`);

/** @type {Map<string, import('libsql').Statement>} */
const statements = new Map();

/** @param {string} text */
function prepared(text) {
  const known = statements.get(text);
  if (known !== undefined) return known;
  const statement = database.prepare(text);
  statements.set(text, statement);
  return statement;
}

parentPort?.on('message', ({ text, parameters, bytes, ends }) => {
  try {
    let blob = 0;
    const bound = parameters.map((/** @type {unknown} */ value) =>
      value === undefined ? Buffer.from(bytes.buffer, bytes.byteOffset + (ends[blob - 1] ?? 0), ends[blob] - (ends[blob++ - 1] ?? 0)) : value,
    );
    const statement = prepared(text);
    const rows = statement.reader ? statement.all(...bound) : (statement.run(...bound), []);
    parentPort?.postMessage({ rows });
  } catch (error) {
    parentPort?.postMessage({ error: { message: error.message, code: error.code, rawCode: error.rawCode } });
  }
});
