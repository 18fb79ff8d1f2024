import { POSTGRES_CONNECTION } from './settings.js';

/**
 * How often the connection is tested, milliseconds: one that was cut silently reports nothing, and a server that has become
 * a standby refuses LISTEN.
 */
const HEARTBEAT = 15_000;

/**
 * Listens for PostgreSQL's notifications on a connection of its own: one from a pool may be given to other work, and a pooler
 * in between (PgBouncer in transaction mode) passes no notifications on.
 *
 * @param onLost is called once when the listening connection is lost.
 * @returns a function that closes it.
 */
export async function listenOnPostgres(
  url: string,
  channel: string,
  onNotified: (payload: string) => void,
  onLost: () => void,
): Promise<() => Promise<void>> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    ...POSTGRES_CONNECTION,
    application_name: `${POSTGRES_CONNECTION.application_name} (listening)`,
  });
  let isListening = false;
  let heartbeat: NodeJS.Timeout | undefined;
  const end = () => {
    isListening = false;
    clearInterval(heartbeat);
    return client.end().catch(() => undefined);
  };
  const listen = () => client.query(`LISTEN ${channel}`);
  const lost = () => {
    if (!isListening) return; // the caller gets an error, or has ended it
    end();
    onLost();
  };
  client.on('error', lost);
  client.on('end', lost);
  client.on('notification', ({ payload }) => onNotified(payload ?? ''));
  try {
    await client.connect();
    await listen();
    isListening = true;
  } catch (error) {
    await end();
    throw error;
  }
  heartbeat = setInterval(() => void listen().catch(lost), HEARTBEAT);
  heartbeat.unref();
  return end;
}
