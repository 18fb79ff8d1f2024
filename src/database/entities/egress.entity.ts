import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { int64, int64OrNull, json } from './column-types.js';

interface StoredReport {
  progress: number;
  updatedAt: number;
  eventId: string;
  reconciled?: true;
  status: string;
  endedAt: number | null;
  error: string | null;
  files: {
    filename: string | null;
    location: string | null;
    durationSeconds: number | null;
    sizeBytes: number | null;
  }[];
  segments: {
    playlist: string | null;
    location: string | null;
    durationSeconds: number | null;
    sizeBytes: number | null;
    count: number | null;
  }[];
  streams: {
    destination: string | null;
    status: string;
    durationSeconds: number | null;
    error: string | null;
  }[];
}

/** What is known of an egress: an `EgressFact` of `sessions/facts`, as it is stored. */
@Entity('livekit_egresses')
@Index('livekit_egresses_room', ['source', 'roomSid'])
export class EgressEntity {
  @PrimaryColumn('text')
  source!: string;

  @PrimaryColumn('text', { name: 'egress_id' })
  egressId!: string;

  @Column('text', { name: 'room_sid' })
  roomSid!: string;

  @Column({ ...int64, name: 'seen_at' })
  seenAt!: number;

  @Column({ ...int64OrNull, name: 'started_at' })
  startedAt!: number | null;

  @Column(json)
  report!: StoredReport;
}
