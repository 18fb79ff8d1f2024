import { randomUUID } from 'node:crypto';

/** The time of the tests, unless one sets its clock: a whole second, as LiveKit tells. */
export const NOW = Date.parse('2026-11-23T08:48:48.000Z');

/** An event id that nobody has used before. */
export const newId = (): string => `EV_${randomUUID().slice(0, 12)}`;

/** The body of a webhook, by default of a join; `undefined` leaves a field out. */
export const webhook = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({
    event: 'participant_joined',
    id: newId(),
    createdAt: String(NOW / 1000),
    room: { sid: 'RM_test', name: 'call-1' },
    participant: { sid: 'PA_test', identity: 'caller-1' },
    ...fields,
  });
