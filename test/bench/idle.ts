/** An application with handlers and sessions that has nothing to do: `idle.ts <database url>`. */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { SessionsModule } from '../../dist/index.js';
import { application } from './application.js';
import { answer } from './child.js';
import { emptyHandlers } from './handlers.js';

/** How long it is let settle down, milliseconds. */
const SETTLE = 3_000;

const [url = ''] = process.argv.slice(2);
const require = createRequire(import.meta.url);
let queries = 0;
countQueries('typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js', 'BetterSqlite3QueryRunner');
countQueries('typeorm/driver/postgres/PostgresQueryRunner.js', 'PostgresQueryRunner');
const app = await application({
  database: { url },
  providers: [emptyHandlers(10, '*')],
  imports: [SessionsModule.forRoot({})],
});
await app.listen(0, '127.0.0.1');

answer<{ milliseconds: number }>(async ({ milliseconds }) => {
  await delay(SETTLE);
  queries = 0;
  const cpu = process.cpuUsage();
  await delay(milliseconds);
  const { user, system } = process.cpuUsage(cpu);
  return {
    'ms of CPU a minute': (((user + system) / 1000) * 60_000) / milliseconds,
    'queries a second': (queries * 1000) / milliseconds,
  };
});

function countQueries(module: string, name: string): void {
  const { prototype } = (require(module) as Record<string, { prototype: QueryRunner }>)[name] ?? {};
  if (prototype === undefined) throw new Error(`TypeORM has no ${name} any more`);
  const query = prototype.query;
  prototype.query = function counted(this: QueryRunner, ...statement: Parameters<QueryRunner['query']>) {
    queries += 1;
    return query.apply(this, statement);
  } as QueryRunner['query'];
}
