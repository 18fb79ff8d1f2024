import { randomUUID } from 'node:crypto';
import { EventStore } from '../../database/event-store.js';
import { rowsOf } from '../../database/sql.js';
import type { StoreClock } from '../../event-log/clock.js';

/** How long a duty stays with a process that has gone silent, milliseconds. */
const LEASE = 20_000;

/** A duty of one replica at a time: the one that holds its lease. On SQLite there is one process, which always does. */
export class Duty {
  private readonly holder = randomUUID();

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly name: string,
  ) {}

  /** Acquires or renews the lease; false if another replica holds it. */
  hold(): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return Promise.resolve(true);
    return this.store.write(async (manager) => {
      const p = this.clock.parameters();
      const now = this.clock.now(p);
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

  /** Gives the lease up to others at once. */
  async release(): Promise<void> {
    if (this.store.dialect === 'sqlite') return;
    await this.store.write((manager) => {
      const p = this.clock.parameters();
      return manager.query(
        `DELETE FROM livekit_duties WHERE name = ${p.add(this.name)} AND holder = ${p.add(this.holder)}`,
        p.values,
      );
    });
  }
}
