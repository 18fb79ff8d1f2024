import { Injectable, type OnModuleInit, Optional } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { EventLog } from '../event-log/event-log.js';
import type { LoggedEvent } from '../event-log/events.js';
import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import {
  decodeSessionEvent,
  SESSION_EVENT_NAMES,
  type SessionEvent,
} from '../sessions/events/session-events.js';
import { RULED_DISPOSITIONS } from '../sessions/fold/disposition.js';
import { COUNTED_KINDS } from '../sessions/fold/presence.js';
import type { Session } from '../sessions/session.js';
import { MOST_SESSIONS_COUNTED, SessionsService } from '../sessions/sessions.service.js';
import { Instruments } from './instruments.js';
import { LabelValues, MOST_DISPOSITIONS } from './label-values.js';
import { sharedRead } from '../database/shared-read.js';

/** Seconds, from a call that is hung up at once to one of four hours. */
const DURATION_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400];

/** The events that are counted by the session's disposition. */
const BY_DISPOSITION = ['session.ended', 'session.settled', 'session.corrected'] as const;

/**
 * Shows how many sessions and participants are active, read from the store and so the same in every process, and counts the
 * session events of this process. Each is counted where it was committed: once, however often and in however many processes
 * the handler that makes it was tried. (Counting them in the store would mean counting all sessions there ever were.)
 */
@Injectable()
export class SessionMetrics implements OnModuleInit {
  private readonly logger = new Log('Metrics');
  private readonly dispositions = new LabelValues(MOST_DISPOSITIONS, RULED_DISPOSITIONS);

  constructor(
    private readonly log: EventLog,
    private readonly instruments: Instruments,
    @Optional() private readonly sessions?: SessionsService,
  ) {}

  onModuleInit(): void {
    if (this.sessions === undefined) return; // a host without SessionsModule
    this.tellActive(this.sessions);
    const count = this.counting();
    this.log.onCommitted((committed) => {
      const events = committed.filter(({ kind }) => kind === 'session');
      // Deferred, so that the projection's next turn need not wait for the decoding of events, which may be long.
      if (events.length > 0) setImmediate(() => events.forEach((event) => this.decoded(event, count)));
    });
  }

  private tellActive(sessions: SessionsService): void {
    const read = sharedRead(async () => ({
      active: await sessions.activeCount(),
      participants: await sessions.activeParticipants(),
      unmatched: await sessions.unmatchedCount(),
    }));
    this.instruments.storeGauge(
      {
        name: 'livekit_sessions_active',
        help: `Sessions that have begun and not ended; no more than ${MOST_SESSIONS_COUNTED.postgres} are counted, ${MOST_SESSIONS_COUNTED.sqlite} on SQLite.`,
      },
      read,
      (gauge, { active }) => gauge.set(active),
    );
    this.instruments.storeGauge(
      {
        name: 'livekit_sessions_unmatched',
        help: `Sessions that belong to nothing that the backend knows; no more than ${MOST_SESSIONS_COUNTED.postgres} are counted, ${MOST_SESSIONS_COUNTED.sqlite} on SQLite.`,
      },
      read,
      (gauge, { unmatched }) => gauge.set(unmatched),
    );
    this.instruments.storeGauge(
      {
        name: 'livekit_participants_active',
        help: 'Participants that are connected in active sessions, by kind.',
        labelNames: ['kind'],
      },
      read,
      (gauge, { participants }) => {
        for (const kind of COUNTED_KINDS) gauge.set({ kind }, participants[kind]);
      },
    );
  }

  private counting(): (event: SessionEvent) => void {
    const events = this.instruments.counter({
      name: 'livekit_session_events_total',
      help: 'What became of sessions in this process, by session event, and by how it went where that is known.',
      labelNames: ['event', 'disposition'],
    });
    this.beginAtZero(events);
    const duration = this.instruments.histogram(
      {
        name: 'livekit_session_duration_seconds',
        help: 'From the first join to the last leave of sessions that settled in this process, by how they went.',
        labelNames: ['disposition'],
      },
      DURATION_BUCKETS,
    );
    const participants = this.instruments.counter({
      name: 'livekit_participant_seconds_total',
      help: 'Connected seconds of all participants of sessions that settled in this process, by kind.',
      labelNames: ['kind'],
    });
    for (const kind of COUNTED_KINDS) participants.inc({ kind }, 0);
    return (event) => {
      const session = judged(event);
      if (session === undefined) return events.inc({ event: event.name });
      const disposition = this.dispositions.of(session.disposition ?? 'none');
      events.inc({ event: event.name, disposition });
      if (event.name !== 'session.settled') return;
      if (session.durationSeconds !== null) duration({ disposition }, session.durationSeconds);
      for (const kind of COUNTED_KINDS) participants.inc({ kind }, session.participantSeconds[kind]);
    };
  }

  // To Prometheus, a counter that appears at 1 has not risen: nobody would see the first call that drops.
  private beginAtZero(events: Counter<'event' | 'disposition'>): void {
    for (const event of SESSION_EVENT_NAMES) {
      if (!isJudged(event)) events.inc({ event }, 0);
      else for (const disposition of RULED_DISPOSITIONS) events.inc({ event, disposition }, 0);
    }
  }

  private decoded(event: LoggedEvent, count: (event: SessionEvent) => void): void {
    try {
      count(decodeSessionEvent(event));
    } catch (error) {
      this.logger.error("a session event can't be counted", {
        event: event.name,
        id: event.eventId,
        ...errorFields(error),
      });
    }
  }
}

const isJudged = (name: string): boolean => (BY_DISPOSITION as readonly string[]).includes(name);

/** The session whose disposition an event is counted by. */
function judged(event: SessionEvent): Session | undefined {
  if (event.name === 'session.corrected') return event.after ?? event.before;
  return event.name === 'session.ended' || event.name === 'session.settled' ? event.session : undefined;
}
