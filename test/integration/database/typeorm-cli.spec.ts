import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { migrations } from '../../../src/database/migrations/index.js';
import { type FreshDatabase, emptyDatabase } from '../../support/database.js';

const run = promisify(execFile);
const names = migrations.map((one) => new one().name);

describe("TypeORM's CLI, with ormconfig.ts", () => {
  let database: FreshDatabase;

  const typeorm = async (command: string): Promise<string> => {
    const env = { ...process.env, DATABASE_URL: database.url, NODE_OPTIONS: '' };
    return (await run('npm', ['run', '--silent', 'typeorm', command], { env })).stdout;
  };

  beforeEach(async () => {
    database = await emptyDatabase();
  });

  afterEach(() => database.drop());

  test('tells which migrations have run, and which it runs and takes back', async () => {
    const before = await typeorm('migration:show');
    for (const name of names) expect(before).toContain(`[ ] ${name}`);

    const ran = await typeorm('migration:run');
    for (const name of names) expect(ran).toContain(`Migration ${name} has been executed successfully`);
    expect(await typeorm('migration:show')).toContain(`[X] ${names.length} ${names.at(-1)}`);

    expect(await typeorm('migration:revert')).toContain(
      `Migration ${names.at(-1)} has been reverted successfully`,
    );
  }, 60_000);
});
