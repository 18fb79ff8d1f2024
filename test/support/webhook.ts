import { randomUUID } from 'node:crypto';
import { webhookBody } from '../../src/testing/webhook-body.js';

/** The time of the tests, unless one sets its clock: a whole second, as LiveKit sends. */
export const NOW = Date.parse('2026-11-23T08:48:48.000Z');

/** An event id that nobody has used before. */
export const newId = (): string => `EV_${randomUUID().slice(0, 12)}`;

const JOIN = JSON.parse(
  webhookBody(
    {
      event: 'participant_joined',
      room: { sid: 'RM_test', name: 'call-1' },
      participant: { sid: 'PA_test', identity: 'caller-1' },
    },
    { now: () => NOW },
  ),
) as Record<string, unknown>;

/** The body of a join with any fields changed, even to what LiveKit would never send; `undefined` leaves a field out. */
export const webhook = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({ ...JOIN, id: newId(), ...fields });
