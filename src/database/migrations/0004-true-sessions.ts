import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What makes sessions true: egresses, what the backend expects and says, and when a session must be looked at again. */
export class TrueSessions0000000000004 implements MigrationInterface {
  readonly name = 'TrueSessions0000000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE livekit_connections ADD COLUMN seen_at bigint');
    await runner.query('ALTER TABLE livekit_connections ADD COLUMN last_seen_at bigint');
    await runner.query('ALTER TABLE livekit_rooms ADD COLUMN listed_at bigint');
    await runner.query(`
      CREATE TABLE livekit_egresses (
        source text NOT NULL,
        egress_id text NOT NULL,
        room_sid text NOT NULL,
        seen_at bigint NOT NULL,
        started_at bigint,
        report text NOT NULL,
        PRIMARY KEY (source, egress_id)
      )`);
    await runner.query('CREATE INDEX livekit_egresses_room ON livekit_egresses (source, room_sid)');
    for (const column of [
      'disposition text',
      'disposition_source text',
      `metadata text NOT NULL DEFAULT '{}'`,
      'unmatched text',
      'settles_at bigint',
      'due_at bigint',
    ]) {
      await runner.query(`ALTER TABLE livekit_sessions ADD COLUMN ${column}`);
    }
    // Sessions that ended before settling was introduced settle now.
    await runner.query(
      "UPDATE livekit_sessions SET settles_at = ended_at, due_at = ended_at WHERE state = 'ended'",
    );
    await runner.query('CREATE INDEX livekit_rooms_name ON livekit_rooms (room_name)');
    await runner.query('CREATE INDEX livekit_rooms_sid ON livekit_rooms (room_sid)');
    for (const name of ['state', 'id']) await runner.query(`DROP INDEX livekit_sessions_${name}`);
    for (const [name, definition] of Object.entries(SESSION_INDEXES)) {
      await runner.query(`CREATE INDEX livekit_sessions_${name} ON livekit_sessions ${definition}`);
    }
    await runner.query(`
      CREATE TABLE livekit_expected_sessions (
        source text NOT NULL,
        session_id text NOT NULL,
        room_name text,
        metadata text NOT NULL,
        state text NOT NULL,
        expected_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        room_sid text,
        PRIMARY KEY (source, session_id)
      )`);
    await runner.query(
      'CREATE INDEX livekit_expected_sessions_room ON livekit_expected_sessions (source, room_name)',
    );
    await runner.query(
      'CREATE INDEX livekit_expected_sessions_state ON livekit_expected_sessions (state, expires_at)',
    );
    await runner.query(`
      CREATE TABLE livekit_duties (
        name text PRIMARY KEY,
        holder text NOT NULL,
        held_until bigint NOT NULL
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['livekit_duties', 'livekit_expected_sessions', 'livekit_egresses']) {
      await runner.query(`DROP TABLE ${table}`);
    }
    for (const name of Object.keys(SESSION_INDEXES)) {
      await runner.query(`DROP INDEX livekit_sessions_${name}`);
    }
    await runner.query('CREATE INDEX livekit_sessions_id ON livekit_sessions (session_id, began_at)');
    await runner.query('CREATE INDEX livekit_sessions_state ON livekit_sessions (state, began_at)');
    for (const name of ['sid', 'name']) await runner.query(`DROP INDEX livekit_rooms_${name}`);
    for (const column of [
      'due_at',
      'settles_at',
      'unmatched',
      'metadata',
      'disposition_source',
      'disposition',
    ]) {
      await runner.query(`ALTER TABLE livekit_sessions DROP COLUMN ${column}`);
    }
    await runner.query('ALTER TABLE livekit_rooms DROP COLUMN listed_at');
    await runner.query('ALTER TABLE livekit_connections DROP COLUMN last_seen_at');
    await runner.query('ALTER TABLE livekit_connections DROP COLUMN seen_at');
  }
}

// Each ends in the order of listings: a page is read from its position, and not one row more.
const SESSION_INDEXES = {
  id: '(session_id, began_at, pk)',
  state: '(state, began_at, pk)',
  project: '(source, began_at, pk)',
  project_state: '(source, state, began_at, pk)',
  // As small as what must be looked at, and what is out of order.
  due: '(due_at) WHERE due_at IS NOT NULL',
  unmatched: '(began_at, pk) WHERE unmatched IS NOT NULL',
};
