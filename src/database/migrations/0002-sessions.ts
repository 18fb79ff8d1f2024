import type { MigrationInterface, QueryRunner } from 'typeorm';
export class Sessions0000000000002 implements MigrationInterface {
  readonly name = 'Sessions0000000000002';
  async up(_runner: QueryRunner): Promise<void> {}
  async down(_runner: QueryRunner): Promise<void> {}
}
