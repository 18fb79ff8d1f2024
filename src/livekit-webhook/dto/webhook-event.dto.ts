import {
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { InvalidWebhookError } from '../errors.js';

/** Longer identifiers than LiveKit makes are no identifiers (its sids and event ids have 15 characters). */
const LONGEST_ID = 255;

/** Longer names than LiveKit allows by default (256 characters) still fit; what does not can't be indexed. */
const LONGEST_NAME = 512;

/** 9999-12-31T23:59:59Z, in seconds: the last moment that ISO 8601 writes with four digits. */
const LAST_SECOND = 253_402_300_799;

/** The room of an event, as far as the edge looks. */
export class WebhookRoomDto {
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_ID)
  sid?: unknown;

  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  name?: unknown;
}

/** The participant of an event, as far as the edge looks. */
export class WebhookParticipantDto {
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_ID)
  sid?: unknown;

  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  identity?: unknown;
}

/**
 * What every webhook event must look like, and no more: LiveKit adds fields and events as it grows, and what
 * we do not know must still be stored.
 */
export class WebhookEventDto {
  @IsString()
  @IsNotEmpty()
  @MaxLength(LONGEST_ID)
  event!: string;

  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_ID)
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
   * Reads an event out of a body's JSON.
   *
   * @throws InvalidWebhookError when it is none.
   */
  static from(json: unknown): WebhookEventDto {
    if (!isObject(json)) throw new InvalidWebhookError('the body is not a JSON object');
    // Taken field by field: a body is not to choose what else is set, `__proto__` least of all.
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

  /** When it was sent, UTC milliseconds: LiveKit tells seconds. */
  get occurredAt(): number | undefined {
    return millisecondsOf(this.createdAt);
  }
}

/** When an event says it was sent, UTC milliseconds, read from JSON that may be no event at all. */
export const occurredAtOf = (json: unknown): number | undefined =>
  isObject(json) ? millisecondsOf(int64(json['createdAt'])) : undefined;

// A relay may write what protojson leaves out.
const millisecondsOf = (seconds: unknown): number | undefined =>
  typeof seconds === 'number' && seconds !== 0 ? seconds * 1000 : undefined;

// protojson writes 64-bit integers as text; what is neither is left for the validator to refuse.
const int64 = (value: unknown): unknown =>
  typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : (value ?? undefined);

// Before 1.14 the room of egress and ingress events stands in their info only (`livekit/livekit#4730`).
function roomOfInfo({ egressInfo, ingressInfo }: Record<string, unknown>): unknown {
  if (isObject(egressInfo)) return { sid: egressInfo['roomId'], name: egressInfo['roomName'] };
  return isObject(ingressInfo) ? { name: ingressInfo['roomName'] } : undefined;
}

// The validator gets to see no list: it goes through all of one, however long, and however deep.
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
 * Whether an event meets all that is asked of it, seen at a glance, as every event of LiveKit's does: the validator takes
 * longer than all else that is done to a delivery before it is stored. Of what is not plainly valid it has the last word.
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
