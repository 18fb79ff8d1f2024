import { buildApplication, killApplications } from './application-process.js';
import { type FreshDatabase, freshDatabase } from './database.js';

/** A fresh database for each test of a file, for applications as processes, which are built before it and killed after each. */
export function applicationDatabase(): { readonly url: string } {
  let database: FreshDatabase;
  beforeAll(buildApplication, 120_000);
  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(async () => {
    await killApplications();
    await database.drop();
  });
  return {
    get url() {
      return database.url;
    },
  };
}
