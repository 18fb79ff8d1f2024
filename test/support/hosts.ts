import type { INestApplication } from '@nestjs/common';
import { type FreshDatabase, freshDatabase } from './database.js';

/** Boots applications, all of a test on one database, and removes both after it. For use in `describe`. */
export function hostsOnFreshDatabase<Host extends { app: INestApplication }, Told extends unknown[]>(
  bootOn: (url: string, ...told: Told) => Promise<Host>,
) {
  let database: FreshDatabase;
  const running = new Set<Host>();

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    for (const { app } of running) await app.close();
    running.clear();
    await database.drop();
  });

  return {
    get url(): string {
      return database.url;
    },
    async boot(...told: Told): Promise<Host> {
      const host = await bootOn(database.url, ...told);
      running.add(host);
      return host;
    },
    async stop(host: Host): Promise<void> {
      running.delete(host);
      await host.app.close();
    },
  };
}
