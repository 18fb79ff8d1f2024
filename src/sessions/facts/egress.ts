import { cut, plainTextOrNull } from '../../database/plain-text.js';
import type { EgressFact, EgressFile, EgressReport, EgressSegments, EgressStream } from './facts.js';
import type { FactSource } from './extract.js';
import { digitsOf, int64, type Json, object, objects, statusName } from './protojson.js';

/** The most characters of an error: those of storage may be whole pages. */
const LONGEST_ERROR = 1_000;

// `livekit/protocol livekit_egress.proto`, EgressStatus; the last four are its ends.
const STATUSES = ['starting', 'active', 'ending', 'complete', 'failed', 'aborted', 'limit_reached'];
const STREAM_STATUSES = ['active', 'finished', 'failed'];

/** The `progress` of an egress that has ended. */
export const ENDED = 3;

/** What an `egress_*` event says about its egress (`livekit/protocol livekit_egress.proto`, EgressInfo). */
export function egressFact(
  { source, eventId, name, occurredAt, reconciled }: FactSource,
  info: Json,
  roomSid: string,
): EgressFact {
  const startedAt = milliseconds(info['startedAt']);
  const error = shortened(plainTextOrNull(info['error']));
  const told = statusName(info['status'], 'EGRESS_', STATUSES);
  const progress = name === 'egress_ended' ? ENDED : Math.min(Math.max(STATUSES.indexOf(told), 0), ENDED);
  const report: EgressReport = {
    progress,
    updatedAt: microseconds(info['updatedAt']) ?? occurredAt * 1_000,
    eventId,
    ...(reconciled && { reconciled }),
    // What has ended is not still starting, whatever was left out.
    status: progress === ENDED && STATUSES.indexOf(told) < ENDED ? unknownEnd(error) : told,
    endedAt: milliseconds(info['endedAt']),
    error,
    files: results(info, 'fileResults', 'file').map(fileOf),
    segments: results(info, 'segmentResults', 'segments').map(segmentsOf),
    streams: streamsOf(info).map(streamOf),
  };
  return {
    source,
    egressId: plainTextOrNull(info['egressId']) ?? `event:${eventId}`,
    roomSid,
    seenAt: occurredAt,
    startedAt,
    report,
  };
}

const unknownEnd = (error: string | null): string => (error === null ? 'complete' : 'failed');

// Older servers have one result, in a field of its own.
function results(info: Json, all: string, one: string): Json[] {
  const listed = objects(info[all]);
  return listed.length > 0 ? listed : objects([info[one]]);
}

const streamsOf = (info: Json): Json[] => {
  const listed = objects(info['streamResults']);
  return listed.length > 0 ? listed : objects(object(info['stream'])?.['info']);
};

const fileOf = (file: Json): EgressFile => ({
  filename: plainTextOrNull(file['filename']),
  location: plainTextOrNull(file['location']),
  durationSeconds: seconds(file['duration']),
  sizeBytes: int64(file['size']),
});

const segmentsOf = (segments: Json): EgressSegments => ({
  playlist: plainTextOrNull(segments['playlistName']),
  location: plainTextOrNull(segments['playlistLocation']),
  durationSeconds: seconds(segments['duration']),
  sizeBytes: int64(segments['size']),
  count: int64(segments['segmentCount']),
});

const streamOf = (stream: Json): EgressStream => ({
  destination: originOf(plainTextOrNull(stream['url'])),
  status: statusName(stream['status'], '', STREAM_STATUSES),
  durationSeconds: seconds(stream['duration']),
  error: shortened(plainTextOrNull(stream['error'])),
});

function originOf(url: string | null): string | null {
  const [origin] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+/i.exec(url ?? '') ?? [];
  return origin?.replace(/\/\/.*@/, '//') ?? null;
}

const shortened = (text: string | null): string | null => text && cut(text, LONGEST_ERROR);

/** Times of an egress are nanoseconds, more than a number can hold exactly. */
const microseconds = (value: unknown): number | null => {
  const digits = digitsOf(value);
  return /^\d{4,19}$/.test(digits) ? Number(digits.slice(0, -3)) || null : null;
};

const milliseconds = (value: unknown): number | null => {
  const exact = microseconds(value);
  return exact === null ? null : Math.floor(exact / 1_000);
};

const seconds = (nanoseconds: unknown): number | null => {
  const exact = microseconds(nanoseconds);
  return exact === null ? null : Math.round(exact / 1_000) / 1_000;
};
