import { EventStore } from '../../src/database/event-store.js';
import { type FreshDatabase, freshDatabase } from './database.js';

/** Opens a store on a database of its own for each test, and removes both after it. For use in `describe`. */
export function freshStores(fresh: () => Promise<FreshDatabase> = freshDatabase): {
  readonly store: EventStore;
  readonly url: string;
} {
  let database: FreshDatabase;
  let store: EventStore;

  beforeEach(async () => {
    database = await fresh();
    store = await EventStore.open({ url: database.url });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  return {
    get store() {
      return store;
    },
    get url() {
      return database.url;
    },
  };
}
