import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { int64OrNull, jsonOrNull, textOrNull } from './column-types.js';

interface StoredDeparture {
  at: number;
  reason: string | null;
  eventId: string;
  inferred?: true;
}

interface StoredVersion<T> {
  value: T;
  version: number;
  eventId: string;
}

/** What is known of a connection: a `ConnectionFact` of `sessions/facts`, as it is stored, with the columns to search it by. */
@Entity('livekit_connections')
@Index('livekit_connections_identity', ['identity'])
@Index('livekit_connections_phone_number', ['phoneNumber'])
@Index('livekit_connections_trunk_phone_number', ['trunkPhoneNumber'])
export class ConnectionEntity {
  @PrimaryColumn('text')
  source!: string;

  @PrimaryColumn('text', { name: 'room_sid' })
  roomSid!: string;

  @PrimaryColumn('text', { name: 'participant_sid' })
  participantSid!: string;

  @Column(textOrNull)
  identity!: string | null;

  @Column(textOrNull)
  kind!: string | null;

  @Column('boolean')
  connected!: boolean;

  @Column({ ...int64OrNull, name: 'seen_at' })
  seenAt!: number | null;

  @Column({ ...int64OrNull, name: 'last_seen_at' })
  lastSeenAt!: number | null;

  @Column({ ...int64OrNull, name: 'joined_at' })
  joinedAt!: number | null;

  @Column(jsonOrNull)
  leave!: StoredDeparture | null;

  @Column(jsonOrNull)
  abort!: StoredDeparture | null;

  @Column(jsonOrNull)
  name!: StoredVersion<string> | null;

  @Column(jsonOrNull)
  attributes!: StoredVersion<Record<string, string>> | null;

  /** On a telephone call, the number of the caller or the called party. */
  @Column({ ...textOrNull, name: 'phone_number' })
  phoneNumber!: string | null;

  /** On a telephone call, the number of the trunk: ours. */
  @Column({ ...textOrNull, name: 'trunk_phone_number' })
  trunkPhoneNumber!: string | null;
}
