import type { MigrationInterface, QueryRunner } from 'typeorm';
import { columnTypes, dialectOf } from '../sql.js';

/** The event log: one row per event, its bytes apart so that they can be pruned long before it, and the quarantine. */
export class EventLog0000000000001 implements MigrationInterface {
  readonly name = 'EventLog0000000000001';

  async up(runner: QueryRunner): Promise<void> {
    const type = columnTypes(dialectOf(runner));
    await runner.query(`
      CREATE TABLE livekit_events (
        seq ${type.identity},
        source text NOT NULL,
        event_id text NOT NULL,
        kind text NOT NULL,
        name text NOT NULL,
        room_sid text,
        room_name text,
        occurred_at bigint NOT NULL,
        received_at bigint NOT NULL,
        body_sha256 text NOT NULL,
        routed boolean NOT NULL DEFAULT false
      )`);
    await runner.query('CREATE UNIQUE INDEX livekit_events_key ON livekit_events (source, event_id)');
    // Unrouted events are found by this index alone: it stays as small as the backlog.
    await runner.query('CREATE INDEX livekit_events_unrouted ON livekit_events (seq) WHERE NOT routed');
    await runner.query('CREATE INDEX livekit_events_room ON livekit_events (source, room_sid, seq)');
    await runner.query('CREATE INDEX livekit_events_received ON livekit_events (received_at)');
    await runner.query(`
      CREATE TABLE livekit_bodies (
        event_seq ${type.int64Key},
        raw ${type.bytes} NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE livekit_quarantine (
        source text NOT NULL,
        sha256 text NOT NULL,
        reason text NOT NULL,
        raw ${type.bytes} NOT NULL,
        first_at bigint NOT NULL,
        last_at bigint NOT NULL,
        times bigint NOT NULL,
        PRIMARY KEY (source, sha256)
      )`);
    await runner.query('CREATE INDEX livekit_quarantine_age ON livekit_quarantine (last_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['livekit_quarantine', 'livekit_bodies', 'livekit_events']) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
