import { Inject, Injectable } from '@nestjs/common';
import type { LoggedEvent } from '../../event-log/events.js';
import type { TransactionalBatchContext } from '../../event-log/handlers/context.js';
import { declareHandler } from '../../event-log/handlers/handler.js';
import { FactStore, roomKey, roomsOf } from './fact-store.js';
import { factsOf } from '../facts/extract.js';
import type { Facts } from '../facts/facts.js';
import { lockRooms } from './room-locks.js';
import { SessionKeeper } from './session-keeper.js';
import { SESSIONS_SETTINGS, type SessionsSettings } from '../sessions.options.js';

/** Events per transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
const BATCH = 64;

/** A batch's lease, milliseconds: short, as a batch takes milliseconds, and sessions are soon up to date after a replica died. */
const LEASE = 5_000;

/** Makes sessions of events: extracts their facts, merges these into the known ones, and folds every room they touch anew. */
@Injectable()
export class SessionProjection {
  constructor(
    private readonly keeper: SessionKeeper,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  /** Applies events to the sessions, in the transaction that acknowledges them. */
  @declareHandler({
    kind: 'livekit',
    names: ['*'],
    options: {
      name: 'sessions',
      transactional: true,
      batch: BATCH,
      lease: LEASE,
      backfill: true,
      includeReconciled: true,
    },
    decode: (event) => event,
    unfiltered: true,
    internal: true,
  })
  async project(events: readonly LoggedEvent[], { manager }: TransactionalBatchContext): Promise<void> {
    const facts = this.factsOf(events);
    await lockRooms(manager, roomsOf(facts));
    const rooms = await new FactStore(manager).merge(facts);
    const traces = tracesOf(events);
    await this.keeper.keep(
      manager,
      rooms.map((room) => ({ ...room, traceparent: traces.get(roomKey(room.after.room)) })),
    );
  }

  /** All facts in some events. */
  factsOf(events: readonly LoggedEvent[]): Facts {
    const each = events.map((event) => this.factsIn(event));
    return {
      rooms: each.flatMap(({ rooms }) => rooms),
      connections: each.flatMap(({ connections }) => connections),
      egresses: each.flatMap(({ egresses }) => egresses),
    };
  }

  private factsIn({ source, eventId, kind, name, occurredAt, body }: LoggedEvent): Facts {
    const reconciled = kind === 'reconciled' ? ({ reconciled: true } as const) : {};
    const json: unknown = JSON.parse(body.toString('utf8'));
    return factsOf(
      { source, eventId, name, occurredAt, body: json, ...reconciled },
      this.settings.attributes,
    );
  }
}

/** The latest span of each room that has one. */
const tracesOf = (events: readonly LoggedEvent[]): Map<string, string> =>
  new Map(
    events.flatMap(({ source, roomSid, traceparent }) =>
      roomSid === null || traceparent === null ? [] : [[roomKey({ source, roomSid }), traceparent]],
    ),
  );
