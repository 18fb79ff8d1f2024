import { onPostgres, sqlQuery } from './database.js';

/** On PostgreSQL, has statements fail that change more deliveries than that: as if more took longer than they may. */
export async function allowAtOnce(url: string, most: number): Promise<void> {
  if (!onPostgres) return;
  await sqlQuery(
    url,
    `CREATE FUNCTION few_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF (SELECT count(*) FROM changed) > ${most} THEN RAISE EXCEPTION 'too many deliveries at once'; END IF;
       RETURN NULL; END $$`,
  );
  await sqlQuery(
    url,
    `CREATE TRIGGER few_at_once AFTER UPDATE ON livekit_deliveries REFERENCING NEW TABLE AS changed
     FOR EACH STATEMENT EXECUTE FUNCTION few_at_once()`,
  );
}

/** Stores as many deliveries that wait, of events that are not stored, in order, before all events that are. */
export async function letWait(
  url: string,
  handler: string,
  many: number,
  roomSql = 'NULL',
  due = 0,
): Promise<void> {
  const numbers = onPostgres
    ? `SELECT n FROM generate_series(1, ${many}) n`
    : `WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${many}) SELECT n FROM counted`;
  await sqlQuery(
    url,
    `INSERT INTO livekit_deliveries (event_seq, handler, order_key, due_at)
     SELECT n - ${many}, '${handler}', ${roomSql}, ${due} FROM (${numbers}) AS numbers`,
  );
}
