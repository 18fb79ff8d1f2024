import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { int64, int64OrNull, textOrNull } from './column-types.js';

/**
 * The place of a session in listings, its id and its revision. What a session *is* is folded from its facts when it
 * is asked for: nothing here could disagree with them for longer than a transaction.
 */
@Entity('livekit_sessions')
@Index('livekit_sessions_key', ['source', 'roomSid', 'segment'], { unique: true })
@Index('livekit_sessions_newest', ['beganAt', 'pk'])
@Index('livekit_sessions_id', ['sessionId', 'beganAt'])
@Index('livekit_sessions_state', ['state', 'beganAt'])
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
  state!: 'active' | 'ended';

  /** The earliest time that is known of it, whatever that is: listings are ordered by it. */
  @Column({ ...int64, name: 'began_at' })
  beganAt!: number;

  @Column({ ...int64OrNull, name: 'ended_at' })
  endedAt!: number | null;

  @Column('integer')
  revision!: number;

  /** Tells whether a new fold of the facts says anything new: the SHA-256 of the last one. */
  @Column('text')
  digest!: string;
}
