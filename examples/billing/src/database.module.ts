import { Global, Injectable, Module, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { EventStore } from 'nestjs-livekit-webhooks';
import { DataSource, type EntityManager } from 'typeorm';
import { config } from './config.js';
import { entities, migrations } from './entities.js';

/** Reads what billing wrote: through our DataSource on PostgreSQL, through the event store in an SQLite file. */
@Injectable()
export class BillingReader {
  constructor(
    private readonly store: EventStore,
    @Optional() private readonly dataSource?: DataSource,
  ) {}

  read<T>(query: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource === undefined ? this.store.read(query) : query(this.dataSource.manager);
  }
}

/** The database that a backend already has; `TypeOrmModule.forRoot(…)` would do as well. */
const postgres = {
  provide: DataSource,
  useFactory: async (): Promise<DataSource> => {
    const dataSource = new DataSource({
      type: 'postgres',
      url: config.databaseUrl,
      entities,
      migrations,
      migrationsTableName: 'billing_migrations',
    });
    await dataSource.initialize();
    await dataSource.runMigrations();
    return dataSource;
  },
};

const owned = config.isPostgres ? [postgres] : [];

@Global()
@Module({ providers: [...owned, BillingReader], exports: [...owned, BillingReader] })
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Optional() private readonly dataSource?: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    await this.dataSource?.destroy();
  }
}
