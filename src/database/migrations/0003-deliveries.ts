import type { MigrationInterface, QueryRunner } from 'typeorm';
import { columnTypes, dialectOf } from '../sql.js';

/** The states in which few deliveries end. */
const ENDED = ['dead', 'discarded', 'dismissed', 'replayed', 'retired'];

/** The handlers, a delivery for every event and handler, and their failed attempts; and the dedup floors. */
export class Deliveries0000000000003 implements MigrationInterface {
  readonly name = 'Deliveries0000000000003';

  async up(runner: QueryRunner): Promise<void> {
    const type = columnTypes(dialectOf(runner));
    await runner.query(`
      CREATE TABLE livekit_handlers (
        name text PRIMARY KEY,
        patterns text NOT NULL,
        ordered boolean NOT NULL,
        blocking boolean NOT NULL,
        first_seen bigint NOT NULL,
        last_seen bigint NOT NULL,
        retired_at bigint,
        paused boolean NOT NULL DEFAULT false,
        backfill_seq bigint,
        backfill_to bigint,
        backfill_since bigint
      )`);
    await runner.query(`
      CREATE TABLE livekit_deliveries (
        id ${type.identity},
        event_seq bigint NOT NULL,
        handler text NOT NULL,
        replay_no integer NOT NULL DEFAULT 0,
        order_key text,
        state text NOT NULL DEFAULT 'pending',
        attempt integer NOT NULL DEFAULT 0,
        due_at bigint NOT NULL,
        lease_until bigint,
        lease_token text,
        error text,
        done_at bigint
      )`);
    await runner.query(
      'CREATE UNIQUE INDEX livekit_deliveries_key ON livekit_deliveries (event_seq, handler, replay_no)',
    );
    // Each is as small as what is in its state: deliveries that are done, by far the most, are only in the last one.
    const indexes = {
      pending: "(handler, due_at, event_seq) WHERE state = 'pending'",
      pending_room: "(handler, order_key, due_at) WHERE state = 'pending' AND order_key IS NOT NULL",
      running: "(lease_until) WHERE state = 'running'",
      running_room: "(handler, order_key) WHERE state = 'running' AND order_key IS NOT NULL",
      dead: "(handler, order_key) WHERE state = 'dead'",
      // SQLite recognises that a query of one state implies this if it is written like this, and not as `IN`.
      ended: `(state, id) WHERE ${ENDED.map((state) => `state = '${state}'`).join(' OR ')}`,
      done: '(done_at) WHERE done_at IS NOT NULL',
    };
    for (const [name, definition] of Object.entries(indexes)) {
      await runner.query(`CREATE INDEX livekit_deliveries_${name} ON livekit_deliveries ${definition}`);
    }
    await runner.query(`
      CREATE TABLE livekit_attempts (
        delivery_id bigint NOT NULL,
        attempt integer NOT NULL,
        failed_at bigint NOT NULL,
        error text NOT NULL,
        PRIMARY KEY (delivery_id, attempt)
      )`);
    await runner.query(`
      CREATE TABLE livekit_floors (
        source text PRIMARY KEY,
        occurred_at bigint NOT NULL
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['livekit_floors', 'livekit_attempts', 'livekit_deliveries', 'livekit_handlers']) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
