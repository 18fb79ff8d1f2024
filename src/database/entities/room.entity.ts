import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { int64, int64OrNull, json, jsonOrNull, textOrNull } from './column-types.js';

/** What is known of a room: a `RoomFact` of `sessions/facts`, as it is stored. */
@Entity('livekit_rooms')
@Index('livekit_rooms_name', ['roomName'])
@Index('livekit_rooms_sid', ['roomSid'])
export class RoomEntity {
  @PrimaryColumn('text')
  source!: string;

  @PrimaryColumn('text', { name: 'room_sid' })
  roomSid!: string;

  @Column({ ...textOrNull, name: 'room_name' })
  roomName!: string | null;

  @Column({ ...int64OrNull, name: 'opened_at' })
  openedAt!: number | null;

  @Column(json)
  starts!: number[];

  @Column({ ...int64OrNull, name: 'listed_at' })
  listedAt!: number | null;

  @Column(json)
  finishes!: { at: number; endReason: string | null; inferred?: 'gone' | 'empty' }[];

  @Column(jsonOrNull)
  description!: { at: number; eventId: string; room: object } | null;

  @Column({ ...int64, name: 'seen_at' })
  seenAt!: number;
}
