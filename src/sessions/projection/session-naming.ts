import { Inject, Injectable } from '@nestjs/common';
import { Room } from 'livekit-server-sdk';
import type { EntityManager } from 'typeorm';
import { LONGEST_NAME } from '../../event-log/events.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { ExpectationStore } from '../expectations/expectation-store.js';
import type { SessionFold } from '../fold/fold.js';
import type { SessionRow } from './session-row.js';
import type { UnmatchedCause } from '../session.js';
import { SESSIONS_SETTINGS, type SessionsSettings, textGiven } from '../sessions.options.js';

/** A session's id, and what the backend says about it. */
export type SessionName = Pick<SessionRow, 'sessionId' | 'metadata' | 'unmatched' | 'idKept'>;

/** A session to be named. */
export interface Nameless {
  fold: SessionFold;
  /** Its name until now. */
  before: SessionName | undefined;
  /** Whether it may match an expectation. */
  mayBeAwaited: boolean;
}

/** Names sessions: by the host's `sessionId`, or by what the host expects in its room. */
@Injectable()
export class SessionNaming {
  private readonly logger = new Log('Sessions');

  constructor(
    private readonly expectations: ExpectationStore,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  /** Names sessions, in their order; an expectation that one of them matches is thereby used up. */
  async name(manager: EntityManager, sessions: readonly Nameless[]): Promise<SessionName[]> {
    const given = sessions.map(({ fold }) => this.idOf(fold));
    const told = sessions.flatMap(({ fold, before, mayBeAwaited }, nth) => {
      const ids = [given[nth]?.sessionId, before?.sessionId].filter((id) => id != null);
      const mayMatch = mayBeAwaited && fold.description !== null && before?.idKept !== 'matched';
      return mayMatch ? [{ fold, sessionIds: [...new Set(ids)] }] : [];
    });
    const matches = await this.expectations.match(manager, told);
    return sessions.map(({ fold, before }, nth) => {
      const match = matches.get(fold);
      if (match !== undefined) return { ...match, unmatched: null, idKept: 'matched' };
      if (before?.idKept != null) return before;
      const { sessionId, cause } = given[nth] as GivenId;
      const unmatched = cause ?? this.unexpected(fold, before);
      if (unmatched !== null && unmatched !== before?.unmatched) this.report(fold, unmatched);
      return { sessionId, metadata: before?.metadata ?? {}, unmatched, idKept: null };
    });
  }

  private idOf({ description, roomName, roomSid, source }: SessionFold): GivenId {
    const { sessionId, requireExpected } = this.settings;
    if (description === null) {
      // What may tell another id, or that it is unmatched, is not known before LiveKit has described the room itself.
      const isItsName = sessionId === undefined && !requireExpected;
      return { sessionId: isItsName ? roomName : null, cause: null };
    }
    if (sessionId === undefined) return { sessionId: roomName, cause: null };
    try {
      const room = Room.fromJson(description.room as never, { ignoreUnknownFields: true });
      const given = textGiven(sessionId(room), LONGEST_NAME);
      return { sessionId: given, cause: given === null ? 'no_session_id' : null };
    } catch (error) {
      this.logger.warn('the option sessionId failed', {
        room: roomName,
        roomSid,
        project: source,
        ...errorFields(error),
      });
      return { sessionId: null, cause: 'session_id_failed' };
    }
  }

  // Once matched, a session stays matched, whatever else is learnt about its room.
  private unexpected({ description }: SessionFold, before: SessionName | undefined): UnmatchedCause | null {
    const isMatched = before !== undefined && before.unmatched === null && before.sessionId !== null;
    return this.settings.requireExpected && description !== null && !isMatched ? 'not_expected' : null;
  }

  private report({ roomName, roomSid, source }: SessionFold, cause: UnmatchedCause): void {
    this.logger.warn('a session is unmatched', {
      room: roomName,
      roomSid,
      project: source,
      cause,
      detail: WHY[cause],
    });
  }
}

interface GivenId {
  sessionId: string | null;
  cause: UnmatchedCause | null;
}

const WHY: Record<UnmatchedCause, string> = {
  no_session_id: '`sessionId` gave it no id',
  session_id_failed: '`sessionId` failed on it',
  not_expected: 'nobody expects it; `expect()` matches it still',
};
