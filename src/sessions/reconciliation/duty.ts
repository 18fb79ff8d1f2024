import { randomUUID } from 'node:crypto';
import { EventStore } from '../../database/event-store.js';
import { rowsOf } from '../../database/sql.js';
import type { StoreClock } from '../../event-log/clock.js';

/** How long a duty stays with a process that is not heard of any more, milliseconds. */
const LEASE = 20_000;

/** What one of all replicas does at a time: whoever holds its lease. On SQLite there is one process, which always does. */
export class Duty {
  private readonly holder = randomUUID();

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly name: string,
  ) {}

  /** Takes it, or keeps it, for some time; false: it is another's. */
  hold(): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return Promise.resolve(true);
    const p = this.clock.parameters();
    const now = this.clock.now(p);
    return this.store.write(async (manager) => {
      const result: unknown = await manager.query(
        `INSERT INTO livekit_duties AS d (name, holder, held_until)
         VALUES (${p.add(this.name)}, ${p.add(this.holder)}, ${now} + ${LEASE})
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
         WHERE d.holder = excluded.holder OR d.held_until <= ${now} RETURNING name`,
        p.values,
      );
      return rowsOf(result).length > 0;
    });
  }

  /** Leaves it to others at once. */
  async release(): Promise<void> {
    if (this.store.dialect === 'sqlite') return;
    const p = this.clock.parameters();
    await this.store.write((manager) =>
      manager.query(
        `DELETE FROM livekit_duties WHERE name = ${p.add(this.name)} AND holder = ${p.add(this.holder)}`,
        p.values,
      ),
    );
  }
}
