/** What one writes by hand: a row a webhook, in a transaction of its own: `append/naive.ts <database url>`. */
import pg from 'pg';
import { answerByAppending } from './appending.js';

const [connectionString = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 }); // as many connections as ours has
await pool.query(`CREATE TABLE webhooks (
  event_id text PRIMARY KEY, name text NOT NULL, room_sid text, room_name text, received_at bigint NOT NULL, body bytea NOT NULL)`);

answerByAppending(({ eventId, name, roomSid, roomName, receivedAt, body }) =>
  pool.query('INSERT INTO webhooks VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING', [
    eventId,
    name,
    roomSid,
    roomName,
    receivedAt,
    body,
  ]),
);
