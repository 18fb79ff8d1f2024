import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Why a session's id is not asked for again: rebuilt, it would lose one that came from an expectation. */
export class KeptIds0000000000008 implements MigrationInterface {
  readonly name = 'KeptIds0000000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE livekit_sessions ADD COLUMN id_kept text');
    await runner.query(
      `UPDATE livekit_sessions SET id_kept = 'matched'
       WHERE unmatched IS NULL AND (source, room_sid, session_id) IN (
         SELECT source, room_sid, session_id FROM livekit_expected_sessions WHERE state = 'matched')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE livekit_sessions DROP COLUMN id_kept');
  }
}
