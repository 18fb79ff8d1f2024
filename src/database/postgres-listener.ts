import { POSTGRES_CONNECTION } from './data-source.js';

/**
 * How often the connection is tried, milliseconds: nobody tells of one that was cut in silence, and a server that has become a
 * standby refuses to be listened to.
 */
const HEARTBEAT = 15_000;

/**
 * Hears PostgreSQL's notifications on a connection of its own: one from a pool may be given to somebody else, and a
 * pooler between (PgBouncer in transaction mode) passes no notifications on.
 *
 * @param onLost is called once when the connection is lost that is listening.
 * @returns what closes it.
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
    if (!isListening) return; // whoever asked is told by an error, or has ended it
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
