import { Column, Entity, type MigrationInterface, PrimaryColumn, type QueryRunner } from 'typeorm';

/** What a call costs. One for each room. */
@Entity('invoices')
export class Invoice {
  @PrimaryColumn('text', { name: 'room_sid' })
  roomSid!: string;

  @Column('text')
  call!: string;

  @Column('integer')
  cents!: number;

  /** ISO 8601. */
  @Column('text', { name: 'closed_at', nullable: true })
  closedAt!: string | null;
}

/** One participant's time in a call. */
@Entity('charges')
export class Charge {
  @PrimaryColumn('text', { name: 'participant_sid' })
  participantSid!: string;

  @Column('text', { name: 'room_sid' })
  roomSid!: string;

  @Column('text')
  identity!: string;

  @Column('integer')
  seconds!: number;

  @Column('integer')
  cents!: number;
}

export const entities = [Invoice, Charge];

export class CreateBilling1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE TABLE invoices (room_sid text PRIMARY KEY, call text NOT NULL, cents integer NOT NULL, closed_at text)',
    );
    await runner.query(
      `CREATE TABLE charges (participant_sid text PRIMARY KEY, room_sid text NOT NULL REFERENCES invoices (room_sid),
         identity text NOT NULL, seconds integer NOT NULL, cents integer NOT NULL)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE charges');
    await runner.query('DROP TABLE invoices');
  }
}

export const migrations = [CreateBilling1700000000000];
