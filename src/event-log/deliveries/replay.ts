import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { rowsOf } from '../../database/sql.js';
import { StoreClock } from '../clock.js';
import { BLOCKED, lastDueInRoom, unblock } from '../room-wait.js';
import type { EndedDelivery } from './ended-deliveries.js';

/** Replays deliveries and ends dead letters, in the caller's transaction, which holds the ordering lock. */
@Injectable()
export class Replays {
  constructor(private readonly clock: StoreClock) {}

  /** Makes a new delivery of the same event to the same handler. @returns its id. */
  async replay(manager: EntityManager, ended: EndedDelivery): Promise<number> {
    const { eventSeq, handler, orderKey, state } = ended;
    const p = this.clock.parameters();
    const seq = p.add(eventSeq);
    const name = p.add(handler);
    const key = orderKey === null ? 'NULL' : p.add(orderKey);
    const now = this.clock.now(p);
    const room = `handler = ${name} AND order_key = ${key}`;
    const isBlocked =
      state === 'dead'
        ? 'false'
        : `EXISTS (SELECT 1 FROM livekit_deliveries WHERE ${room} AND state = 'pending' AND due_at = ${BLOCKED})
             OR EXISTS (SELECT 1 FROM livekit_handlers WHERE name = ${name} AND blocking)
             AND EXISTS (SELECT 1 FROM livekit_deliveries WHERE ${room} AND state = 'dead')`;
    // Due behind what waits in its room (later events have a greater seq), unless that waits for this delivery.
    const inTurn = `CASE WHEN ${isBlocked} THEN ${BLOCKED} ELSE coalesce(${lastDueInRoom(name, key)} + 1, ${now}) END`;
    const rows = rowsOf<{ id: number | string }>(
      await manager.query(
        `INSERT INTO livekit_deliveries (event_seq, handler, replay_no, order_key, due_at)
         SELECT ${seq}, ${name}, coalesce(max(replay_no), 0) + 1, CAST(${key} AS text), ${orderKey === null ? now : inTurn}
         FROM livekit_deliveries WHERE event_seq = ${seq} AND handler = ${name}
         RETURNING id`,
        p.values,
      ),
    );
    if (state === 'dead') await this.letRest(manager, ended, 'replayed');
    return Number(rows[0]?.id);
  }

  /** Ends a dead letter, and unblocks its room. */
  async letRest(
    manager: EntityManager,
    { id, orderKey }: EndedDelivery,
    state: 'dismissed' | 'replayed',
  ): Promise<void> {
    const rest = this.clock.parameters();
    await manager.query(
      `UPDATE livekit_deliveries SET state = '${state}', done_at = ${this.clock.now(rest)}
       WHERE id = ${rest.add(id)} AND state = 'dead'`,
      rest.values,
    );
    if (orderKey !== null) await unblock(manager, id);
  }
}
