import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { int64, int64OrNull, json, textOrNull } from './column-types.js';

/**
 * The place of a session in listings, what the backend says of it, and its progress. What a session *is* is folded from its
 * facts on demand: nothing here could disagree with them for longer than a transaction.
 */
@Entity('livekit_sessions')
@Index('livekit_sessions_key', ['source', 'roomSid', 'segment'], { unique: true })
@Index('livekit_sessions_newest', ['beganAt', 'pk'])
@Index('livekit_sessions_id', ['sessionId', 'beganAt', 'pk'])
@Index('livekit_sessions_state', ['state', 'beganAt', 'pk'])
@Index('livekit_sessions_project', ['source', 'beganAt', 'pk'])
@Index('livekit_sessions_project_state', ['source', 'state', 'beganAt', 'pk'])
@Index('livekit_sessions_due', ['dueAt'], { where: 'due_at IS NOT NULL' })
@Index('livekit_sessions_unmatched', ['beganAt', 'pk'], { where: 'unmatched IS NOT NULL' })
export class SessionEntity {
  @PrimaryGeneratedColumn()
  pk!: number;

  @Column('text')
  source!: string;

  @Column('text', { name: 'room_sid' })
  roomSid!: string;

  @Column('integer')
  segment!: number;

  @Column({ ...textOrNull, name: 'session_id' })
  sessionId!: string | null;

  @Column('text')
  state!: 'active' | 'ended' | 'settled';

  /** The earliest time known of it, whatever happened then: listings are ordered by it. */
  @Column({ ...int64, name: 'began_at' })
  beganAt!: number;

  @Column({ ...int64OrNull, name: 'ended_at' })
  endedAt!: number | null;

  /** How it went. */
  @Column(textOrNull)
  disposition!: string | null;

  /** Who or what decided the disposition. */
  @Column({ ...textOrNull, name: 'disposition_source' })
  dispositionSource!: 'host' | 'option' | 'rules' | null;

  /** What the backend said of it when it expected it. */
  @Column({ ...json, default: '{}' })
  metadata!: Record<string, unknown>;

  /** Why it can't be matched to anything that the backend knows. */
  @Column(textOrNull)
  unmatched!: 'no_session_id' | 'session_id_failed' | 'not_expected' | null;

  /** Why its id is not asked for again: an expectation gave it, or the host made it of what has been erased since. */
  @Column({ ...textOrNull, name: 'id_kept' })
  idKept!: 'matched' | 'erased' | null;

  /** The earliest moment it may settle. */
  @Column({ ...int64OrNull, name: 'settles_at' })
  settlesAt!: number | null;

  /** When it must be looked at even if no event comes: to settle it, or to close it. */
  @Column({ ...int64OrNull, name: 'due_at' })
  dueAt!: number | null;

  @Column('integer')
  revision!: number;

  /** The SHA-256 of what was last announced of it, which shows whether it has changed. */
  @Column('text')
  digest!: string;

  /** The span that appended the event that last changed it. */
  @Column(textOrNull)
  traceparent!: string | null;
}
