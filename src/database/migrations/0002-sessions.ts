import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf } from '../sql.js';

/** What sessions are made of: the facts of rooms and of connections, and the sessions' place in listings. */
export class Sessions0000000000002 implements MigrationInterface {
  readonly name = 'Sessions0000000000002';

  async up(runner: QueryRunner): Promise<void> {
    const identity =
      dialectOf(runner) === 'postgres' ? 'serial PRIMARY KEY' : 'integer PRIMARY KEY AUTOINCREMENT NOT NULL';
    await runner.query(`
      CREATE TABLE livekit_rooms (
        source text NOT NULL,
        room_sid text NOT NULL,
        room_name text,
        opened_at bigint,
        starts text NOT NULL,
        finishes text NOT NULL,
        description text,
        seen_at bigint NOT NULL,
        PRIMARY KEY (source, room_sid)
      )`);
    await runner.query(`
      CREATE TABLE livekit_connections (
        source text NOT NULL,
        room_sid text NOT NULL,
        participant_sid text NOT NULL,
        identity text,
        kind text,
        connected boolean NOT NULL,
        joined_at bigint,
        leave text,
        abort text,
        name text,
        attributes text,
        phone_number text,
        trunk_phone_number text,
        PRIMARY KEY (source, room_sid, participant_sid)
      )`);
    await runner.query('CREATE INDEX livekit_connections_identity ON livekit_connections (identity)');
    await runner.query('CREATE INDEX livekit_connections_phone_number ON livekit_connections (phone_number)');
    await runner.query(
      'CREATE INDEX livekit_connections_trunk_phone_number ON livekit_connections (trunk_phone_number)',
    );
    await runner.query(`
      CREATE TABLE livekit_sessions (
        "pk" ${identity},
        source text NOT NULL,
        room_sid text NOT NULL,
        segment integer NOT NULL,
        session_id text,
        state text NOT NULL,
        began_at bigint NOT NULL,
        ended_at bigint,
        revision integer NOT NULL,
        digest text NOT NULL
      )`);
    await runner.query(
      'CREATE UNIQUE INDEX livekit_sessions_key ON livekit_sessions (source, room_sid, segment)',
    );
    await runner.query('CREATE INDEX livekit_sessions_newest ON livekit_sessions (began_at, pk)');
    await runner.query('CREATE INDEX livekit_sessions_id ON livekit_sessions (session_id, began_at)');
    await runner.query('CREATE INDEX livekit_sessions_state ON livekit_sessions (state, began_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['livekit_sessions', 'livekit_connections', 'livekit_rooms']) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
