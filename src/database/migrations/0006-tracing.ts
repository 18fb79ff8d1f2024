import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The spans in which events were received, deliveries last attempted and sessions last changed, as W3C Trace Context. */
export class Tracing0000000000006 implements MigrationInterface {
  readonly name = 'Tracing0000000000006';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`ALTER TABLE ${table} ADD COLUMN traceparent text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`ALTER TABLE ${table} DROP COLUMN traceparent`);
  }
}

const TABLES = ['livekit_events', 'livekit_deliveries', 'livekit_sessions'];
