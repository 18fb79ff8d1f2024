import { randomUUID } from 'node:crypto';
import type { EventStore } from '../../database/event-store.js';

/** A store's permanent id, which distinguishes its queues from those of another store on the same engine. */
export function storeId(store: EventStore): Promise<string> {
  return store.write(async (manager) => {
    const id = randomUUID().slice(0, 8);
    await manager.query(
      `INSERT INTO livekit_store (one, id) VALUES (1, '${id}') ON CONFLICT (one) DO NOTHING`,
    );
    const [row] = await manager.query<{ id: string }[]>('SELECT id FROM livekit_store');
    return row?.id ?? id;
  });
}
