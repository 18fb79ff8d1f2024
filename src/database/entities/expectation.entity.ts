import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { int64, json, textOrNull } from './column-types.js';

/** A session that the backend expects. */
@Entity('livekit_expected_sessions')
@Index('livekit_expected_sessions_room', ['source', 'roomName'])
@Index('livekit_expected_sessions_state', ['state', 'expiresAt'])
export class ExpectationEntity {
  @PrimaryColumn('text')
  source!: string;

  @PrimaryColumn('text', { name: 'session_id' })
  sessionId!: string;

  /** The room that it will be in, unless the session id implies that. */
  @Column({ ...textOrNull, name: 'room_name' })
  roomName!: string | null;

  /** JSON text, the host's. */
  @Column(json)
  metadata!: Record<string, unknown>;

  @Column('text')
  state!: 'awaiting' | 'matched' | 'expired';

  @Column({ ...int64, name: 'expected_at' })
  expectedAt!: number;

  @Column({ ...int64, name: 'expires_at' })
  expiresAt!: number;

  /** The room that it was matched with. */
  @Column({ ...textOrNull, name: 'room_sid' })
  roomSid!: string | null;
}
