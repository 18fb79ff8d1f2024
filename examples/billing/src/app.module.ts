import { Module } from '@nestjs/common';
import { LivekitWebhookModule } from 'nestjs-livekit-webhooks';
import { DataSource } from 'typeorm';
import { ArchiveService } from './archive.service.js';
import { BillingService } from './billing.service.js';
import { BillsController } from './bills.controller.js';
import { config } from './config.js';
import { DatabaseModule } from './database.module.js';
import { entities, migrations } from './entities.js';
import { MailService } from './mail.service.js';
import { PretendStorageController } from './pretend-storage.controller.js';

@Module({
  imports: [
    DatabaseModule,
    LivekitWebhookModule.forRootAsync({
      inject: [{ token: DataSource, optional: true }],
      useFactory: (dataSource?: DataSource) => ({
        ...config.livekit,
        database: {
          url: config.databaseUrl,
          // SQLite has one writer: there our tables live in the library's file, and on PostgreSQL in our own database.
          ...(dataSource === undefined
            ? { entities, entityMigrations: migrations }
            : { handlers: dataSource }),
        },
      }),
    }),
  ],
  controllers: [BillsController, PretendStorageController],
  providers: [BillingService, MailService, ArchiveService],
})
export class AppModule {}
