import {
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { LONGEST_ID, LONGEST_NAME } from '../../event-log/events.js';
import { InvalidWebhookError } from '../errors.js';

/** 9999-12-31T23:59:59Z, in seconds: the last moment whose year ISO 8601 writes with four digits. */
const LAST_SECOND = 253_402_300_799;

// Not `MaxLength`, which leaves out variation selectors: PostgreSQL could not index what a name may have of them.
const AtMost = (most: number): PropertyDecorator => Matches(new RegExp(`^.{0,${most}}$`, 'su'));

/** The room of an event, with the fields that are validated. */
export class WebhookRoomDto {
  @IsOptional()
  @IsString()
  @AtMost(LONGEST_ID)
  sid?: unknown;

  @IsOptional()
  @IsString()
  @AtMost(LONGEST_NAME)
  name?: unknown;
}

/** The participant of an event, with the fields that are validated. */
export class WebhookParticipantDto {
  @IsOptional()
  @IsString()
  @AtMost(LONGEST_ID)
  sid?: unknown;

  @IsOptional()
  @IsString()
  @AtMost(LONGEST_NAME)
  identity?: unknown;
}

/**
 * The least that every webhook event must satisfy: LiveKit adds fields and events over time, and those we do not
 * know must still be stored.
 */
export class WebhookEventDto {
  @IsString()
  @IsNotEmpty()
  @AtMost(LONGEST_ID)
  event!: string;

  @IsOptional()
  @IsString()
  @AtMost(LONGEST_ID)
  id?: string;

  /** Seconds since 1970; zero is protobuf's "not set". */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(LAST_SECOND)
  createdAt?: number;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  room?: WebhookRoomDto;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  participant?: WebhookParticipantDto;

  /**
   * Reads an event from a body's JSON.
   *
   * @throws InvalidWebhookError when it is not a webhook event.
   */
  static from(json: unknown): WebhookEventDto {
    if (!isObject(json)) throw new InvalidWebhookError('the body is not a JSON object');
    // Copied field by field, so that a body can't set anything else, `__proto__` least of all.
    const dto = Object.assign(new WebhookEventDto(), {
      event: json['event'],
      id: json['id'] === '' ? undefined : (json['id'] ?? undefined),
      createdAt: int64(json['createdAt']),
      room: nested('room', json['room'] ?? roomOfInfo(json), ({ sid, name }) =>
        Object.assign(new WebhookRoomDto(), { sid: sid ?? undefined, name: name ?? undefined }),
      ),
      participant: nested('participant', json['participant'], ({ sid, identity }) =>
        Object.assign(new WebhookParticipantDto(), {
          sid: sid ?? undefined,
          identity: identity ?? undefined,
        }),
      ),
    });
    if (isPlainlyValid(dto)) return dto;
    const [error] = validateSync(dto);
    if (error !== undefined) throw wrong(error.property);
    return dto;
  }

  /** When it was sent, UTC milliseconds (LiveKit sends seconds). */
  get occurredAt(): number | undefined {
    return millisecondsOf(this.createdAt);
  }
}

/** When an event was sent by its `createdAt`, UTC milliseconds, read from JSON that may not be an event at all. */
export const occurredAtOf = (json: unknown): number | undefined =>
  isObject(json) ? millisecondsOf(int64(json['createdAt'])) : undefined;

// A relay may write the zero that protojson leaves out.
const millisecondsOf = (seconds: unknown): number | undefined =>
  typeof seconds === 'number' && seconds !== 0 ? seconds * 1000 : undefined;

// protojson writes 64-bit integers as text; anything else is left to the validator.
const int64 = (value: unknown): unknown =>
  typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : (value ?? undefined);

// Before 1.14 the room of egress and ingress events is only in their info (`livekit/livekit#4730`); that of an agent's is in its job.
function roomOfInfo({ egressInfo, ingressInfo, job }: Record<string, unknown>): unknown {
  if (isObject(egressInfo)) return { sid: egressInfo['roomId'], name: egressInfo['roomName'] };
  if (isObject(ingressInfo)) return { name: ingressInfo['roomName'] };
  return isObject(job) && isObject(job['room']) ? job['room'] : undefined;
}

// Keeps lists from the validator, which walks the whole of one, however long and however deep.
function nested(
  property: string,
  value: unknown,
  dto: (fields: Record<string, unknown>) => object,
): object | undefined {
  if (value == null) return undefined;
  if (!isObject(value)) throw wrong(property);
  return dto(value);
}

const wrong = (property: string): InvalidWebhookError =>
  new InvalidWebhookError(`\`${property}\` is not what a webhook event has there`);

/**
 * A fast check of the constraints above, which every event of LiveKit's passes: the validator takes longer than everything
 * else that is done to a delivery before it is stored, and decides only about events that fail this check.
 */
export function isPlainlyValid({ event, id, createdAt, room, participant }: WebhookEventDto): boolean {
  return (
    typeof event === 'string' &&
    event !== '' &&
    isShort(event, LONGEST_ID) &&
    isShort(id, LONGEST_ID) &&
    (createdAt === undefined ||
      (Number.isInteger(createdAt) && createdAt >= 0 && createdAt <= LAST_SECOND)) &&
    (room === undefined ||
      (room instanceof WebhookRoomDto &&
        isShort(room.sid, LONGEST_ID) &&
        isShort(room.name, LONGEST_NAME))) &&
    (participant === undefined ||
      (participant instanceof WebhookParticipantDto &&
        isShort(participant.sid, LONGEST_ID) &&
        isShort(participant.identity, LONGEST_NAME)))
  );
}

const isShort = (value: unknown, longest: number): boolean =>
  value === undefined || (typeof value === 'string' && value.length <= longest);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
