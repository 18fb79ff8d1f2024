import type { LoggedEvent } from '../event-log/events.js';
import { decodeSessionEvent } from '../sessions/events/session-events.js';

/** The schema of published events: the `docs/outlet-events.schema.json` of the package. */
const OUTLET_EVENTS_SCHEMA = 'https://unpkg.com/nestjs-livekit-webhooks@0/docs/outlet-events.schema.json';

/** The content type of a CloudEvent in JSON (CloudEvents JSON format 1.0, § 3). */
export const CLOUD_EVENT_JSON = 'application/cloudevents+json; charset=utf-8';

/** An event as it is published. */
export interface OutletEvent {
  /** The CloudEvent's id: `project/event id`, in letters, digits and `_:%/-`. */
  id: string;
  /** The CloudEvent's type: `session.settled`, `livekit.room_started`. */
  type: string;
  /** Its subject on JetStream, and its key in Redis: `session.<project>.settled`. */
  address: string;
  /** The CloudEvent, structured (CloudEvents 1.0.2). */
  json: string;
}

/** Makes a CloudEvent from a session event or one of LiveKit's. */
export function toOutletEvent(event: LoggedEvent): OutletEvent {
  const { source, eventId, kind, name, occurredAt, body, traceparent } = event;
  const [family, short] =
    kind === 'session'
      ? (['session', name.replace(/^session\./, '')] as const)
      : (['livekit', name] as const);
  const project = plain(source);
  const id = `${project}/${plain(eventId)}`;
  const type = `${family}.${short}`;
  const subject = subjectOf(event);
  const attributes = {
    specversion: '1.0',
    id,
    source: `/livekit/projects/${project}`,
    type,
    ...(subject && { subject }),
    ...timeOf(occurredAt),
    datacontenttype: 'application/json',
    ...(traceparent && { traceparent }), // CloudEvents' extension for distributed tracing
    dataschema: `${OUTLET_EVENTS_SCHEMA}#/$defs/${family === 'session' ? type : 'livekit'}`,
  };
  return {
    id,
    type,
    address: `${family}.${project}.${plain(short)}`,
    // The bytes as they are: parsing and writing them again would change numbers beyond what a double holds.
    json: `${JSON.stringify(attributes).slice(0, -1)},"data":${withoutTurnPassword(body.toString('utf8'))}}`,
  };
}

// The key to LiveKit's TURN server stands in every room (`livekit_models.proto`), and is for the room's clients alone.
const withoutTurnPassword = (json: string): string =>
  json.replace(/"turn(Password|_password)"\s*:\s*"(?:[^"\\]|\\.)*"/g, '"turn$1":""');

/** What it is about: a session by its id, a room by its name. */
function subjectOf(event: LoggedEvent): string | null {
  const sessionId = event.kind === 'session' ? decodeSessionEvent(event).sessionId : null;
  return sessionId ?? event.roomName ?? event.roomSid;
}

// RFC 3339 has four digits for a year; a sender's clock may say anything.
function timeOf(occurredAt: number): { time?: string } {
  const time = new Date(occurredAt);
  const year = time.getUTCFullYear();
  return year >= 0 && year <= 9999 ? { time: time.toISOString() } : {};
}

/** Text that can stand in a header, in a signature's `.`-separated content, and between the dots of a subject. */
const plain = (text: string): string =>
  text.replace(/[^\w:-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
