import { sqlQuery } from './database.js';

/** The ids that outlets give the events of a store, by kind, in the order of the log. */
export async function publishedIds(databaseUrl: string, kinds = ['session', 'livekit']): Promise<string[]> {
  const rows = await sqlQuery<{ source: string; event_id: string; kind: string }>(
    databaseUrl,
    'SELECT source, event_id, kind FROM livekit_events ORDER BY seq',
  );
  return rows
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ source, event_id }) => `${source}/${event_id}`);
}

/** The ids of the events that arrived after an event of their room that follows them in the log. */
export async function outOfOrder(databaseUrl: string, events: readonly { id: string }[]): Promise<string[]> {
  const rows = await sqlQuery<{ id: string; room: string | null; seq: number | string }>(
    databaseUrl,
    "SELECT source || '/' || event_id AS id, room_sid AS room, seq FROM livekit_events",
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  const last = new Map<string, number>();
  return events.flatMap(({ id }) => {
    const { room = null, seq = 0 } = byId.get(id) ?? {};
    if (room === null) return [];
    const before = last.get(room) ?? 0;
    last.set(room, Number(seq));
    return Number(seq) > before ? [] : [id];
  });
}
