import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Until when an engine is trusted with a delivery; and the id of the store, which is in the names of an engine's queues. */
export class Engines0000000000005 implements MigrationInterface {
  readonly name = 'Engines0000000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE livekit_deliveries ADD COLUMN carried_until bigint');
    await runner.query('CREATE TABLE livekit_store (one integer PRIMARY KEY, id text NOT NULL)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE livekit_store');
    await runner.query('ALTER TABLE livekit_deliveries DROP COLUMN carried_until');
  }
}
