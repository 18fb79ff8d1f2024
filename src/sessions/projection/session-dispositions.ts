import { Inject, Injectable } from '@nestjs/common';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import type { RoomFacts } from '../facts/facts.js';
import { dispositionOf } from '../fold/disposition.js';
import type { SessionFold } from '../fold/fold.js';
import { LONGEST_DISPOSITION, type SessionRow } from './session-row.js';
import { SESSIONS_SETTINGS, type SessionsSettings, textGiven } from '../sessions.options.js';
import { toSession } from '../to-session.js';

/** Decides how sessions went: by the host's word, else the option's, else the rules'. */
@Injectable()
export class SessionDispositions {
  private readonly logger = new Log('Sessions');

  constructor(@Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings) {}

  /** A session's row with its disposition. */
  judged(row: SessionRow, fold: SessionFold, facts: RoomFacts): SessionRow {
    if (row.dispositionSource === 'host') return row;
    const disposition = dispositionOf(fold, this.settings.parties);
    const ruled: SessionRow = { ...row, disposition, dispositionSource: disposition && 'rules' };
    if (disposition === null || this.settings.disposition === undefined) return ruled;
    try {
      const given = textGiven(this.settings.disposition(toSession(fold, ruled), facts), LONGEST_DISPOSITION);
      return given === null ? ruled : { ...row, disposition: given, dispositionSource: 'option' };
    } catch (error) {
      const { roomName, roomSid, source } = fold;
      this.logger.warn('the option disposition failed: the rules say', {
        room: roomName,
        roomSid,
        project: source,
        ...errorFields(error),
      });
      return ruled;
    }
  }
}
