import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The indexes that nothing needs before an event is routed take it in only then, and no webhook waits for them. On
 * PostgreSQL a row enters every index once more when it is routed: these it entered twice.
 */
export class RoutedIndexes0000000000007 implements MigrationInterface {
  readonly name = 'RoutedIndexes0000000000007';

  async up(runner: QueryRunner): Promise<void> {
    await remake(runner, ' WHERE routed');
  }

  async down(runner: QueryRunner): Promise<void> {
    await remake(runner, '');
  }
}

const INDEXES = {
  livekit_events_room: '(source, room_sid, seq)',
  livekit_events_received: '(received_at)',
};

async function remake(runner: QueryRunner, condition: string): Promise<void> {
  for (const [name, columns] of Object.entries(INDEXES)) {
    await runner.query(`DROP INDEX ${name}`);
    await runner.query(`CREATE INDEX ${name} ON livekit_events ${columns}${condition}`);
  }
}
