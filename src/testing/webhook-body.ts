import { WebhookEvent } from 'livekit-server-sdk';
import { hash, randomUUID } from 'node:crypto';
import type { Clock } from '../event-log/clock.js';
import type { LivekitEventMap, LivekitEventName } from '../livekit-webhook/livekit-events.js';
import { WebhookTestingError } from './errors.js';

/** A field as LiveKit writes it in JSON: an enum by its name, a 64-bit integer as a number or as text, bytes as base64. */
export type JsonField<F> = F extends bigint
  ? number | string
  : F extends string | boolean
    ? F
    : F extends number
      ? `${number}` extends `${F}` // an enum accepts any number, but as text only its own
        ? F
        : string
      : F extends Uint8Array
        ? string
        : F extends (infer Item)[]
          ? JsonField<Item>[]
          : F extends object
            ? { [K in keyof F as IsOneOf<F[K]> extends true ? never : K]?: JsonField<F[K]> | undefined }
            : F;

type IsOneOf<F> = 'case' extends keyof NonNullable<F> ? true : false;

type Fields = NonNullable<ConstructorParameters<typeof WebhookEvent>[0]>;

type FieldsOf<N extends LivekitEventName> =
  | 'id'
  | 'createdAt'
  | 'room'
  | (N extends 'room_finished' ? 'roomEndReason' : never)
  | (N extends `agent_job_${string}` ? 'job' : never)
  | Extract<keyof LivekitEventMap[N], keyof Fields>;

/**
 * The fields of a webhook, by its event: those left out are made up, and events that name the same room and identity
 * are of the same room and participant.
 */
export type WebhookFields<N extends LivekitEventName = LivekitEventName> = N extends LivekitEventName
  ? { event: N } & JsonField<Pick<Fields, FieldsOf<N>>>
  : never;

/**
 * The body of a webhook as LiveKit would send it at a clock's time.
 *
 * ```ts
 * webhookBody({ event: 'participant_joined', room: { name: 'call-1' }, participant: { identity: 'ann', kind: 'SIP' } })
 * ```
 *
 * @throws WebhookTestingError when LiveKit has no such field or value.
 */
export function webhookBody(fields: WebhookFields, clock: Clock = { now: () => Date.now() }): string {
  const now = clock.now();
  try {
    const given = JSON.parse(JSON.stringify(fields)) as AnyFields; // without what is undefined
    const json = {
      id: `EV_${randomUUID().slice(-12)}`,
      createdAt: seconds(now),
      ...given,
      ...madeUp(given, now),
    };
    return WebhookEvent.fromJson(json as Parameters<typeof WebhookEvent.fromJson>[0]).toJsonString();
  } catch (error) {
    throw new WebhookTestingError(
      `LiveKit sends no such webhook: ${(error as Error).message}. To send it all the same, write the body by hand`,
    );
  }
}

/** The same for any event. */
interface AnyFields {
  event: string;
  room?: { sid?: string; name?: string };
  participant?: { sid?: string; identity?: string };
  track?: object;
  egressInfo?: object;
  ingressInfo?: object;
}

/** The status of an egress when each of its events is sent. */
const EGRESS_STATUS: Record<string, string> = {
  egress_started: 'EGRESS_STARTING',
  egress_updated: 'EGRESS_ACTIVE',
  egress_ended: 'EGRESS_COMPLETE',
};

function madeUp({ event, ...given }: AnyFields, now: number): object {
  const name = given.room?.name ?? 'call-1';
  const named = { sid: sid('RM', name), name };
  const identity = given.participant?.identity ?? 'caller-1';
  const identified = { sid: sid('PA', name, identity), identity };
  switch (event.split('_', 1)[0]) {
    case 'room':
      return { room: { ...named, ...timed('creationTime', now), ...given.room } };
    case 'participant':
      return {
        room: { ...named, ...timed('creationTime', now), ...given.room },
        participant: { ...identified, ...participantState(event, now), ...given.participant },
      };
    case 'track':
      return {
        room: { ...named, ...given.room },
        participant: { ...identified, ...given.participant },
        track: { sid: sid('TR', name, identity), name: 'mic', source: 'MICROPHONE', ...given.track },
      };
    case 'egress': {
      const roomOf = { egressId: sid('EG', name), roomId: given.room?.sid ?? named.sid, roomName: name };
      return {
        room: { ...named, ...given.room },
        egressInfo: { ...roomOf, status: EGRESS_STATUS[event], ...given.egressInfo },
      };
    }
    case 'ingress':
      return {
        ingressInfo: { ingressId: sid('IN', name), roomName: name, ...given.ingressInfo },
      };
    default:
      return { room: { ...named, ...given.room } };
  }
}

function participantState(event: string, now: number): object {
  if (event === 'participant_joined') return { state: 'ACTIVE', ...timed('joinedAt', now) };
  const disconnectReason = event === 'participant_left' ? 'CLIENT_INITIATED' : 'SIGNAL_CLOSE';
  return { state: 'DISCONNECTED', disconnectReason };
}

const seconds = (time: number): string => String(Math.floor(time / 1000));

const timed = (field: string, now: number): object => ({
  [field]: seconds(now),
  [`${field}Ms`]: String(now),
});

/** A sid that is the same for the same names, so that a test need not carry it from one event to the next. */
const sid = (prefix: string, ...names: string[]): string =>
  `${prefix}_${hash('sha256', names.join('/'), 'hex').slice(0, 12)}`;
