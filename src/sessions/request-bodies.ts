import { SessionRequestError } from './errors.js';
import type { ExpectOptions } from './expectations/expected-session.js';
import { LONGEST_STAY } from './sessions.options.js';

/**
 * The options in the body of `PUT /voice/sessions/:sessionId/expectation`: `{ "roomName"?, "metadata"?, "expiresInSeconds"? }`.
 *
 * @param body of the request (`SentBody`): `undefined`, if none was sent, stands for no options.
 * @throws SessionRequestError when it is anything else.
 */
export function expectationIn(body: unknown): ExpectOptions {
  const fields = fieldsOf(body === undefined ? {} : body, ['roomName', 'metadata', 'expiresInSeconds']);
  const { roomName, metadata, expiresInSeconds } = fields;
  if (roomName != null && typeof roomName !== 'string') throw wrong('roomName', 'a text');
  if (metadata != null && typeof metadata !== 'object') throw wrong('metadata', 'an object');
  const isTime = typeof expiresInSeconds === 'number' && expiresInSeconds >= 0 && expiresInSeconds <= LONGEST;
  if (expiresInSeconds != null && !isTime) throw wrong('expiresInSeconds', `a number from 0 to ${LONGEST}`);
  return {
    ...(roomName != null && { roomName: roomName as string }),
    ...(metadata != null && { metadata: metadata as Record<string, unknown> }),
    ...(expiresInSeconds != null && { expiresIn: Math.round((expiresInSeconds as number) * 1_000) }),
  };
}

/** In seconds. */
const LONGEST = LONGEST_STAY / 1_000;

/**
 * The disposition in the body of `PUT /voice/sessions/:sessionId/disposition`: `{ "disposition": "transferred" }`, or `null` to
 * leave it to the rules.
 *
 * @throws SessionRequestError when it is anything else.
 */
export function dispositionIn(body: unknown): string | null {
  const { disposition } = fieldsOf(body, ['disposition']);
  if (disposition === null || typeof disposition === 'string') return disposition;
  throw wrong('disposition', 'a text, or null');
}

function fieldsOf(body: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new SessionRequestError(
      'the body must be a JSON object, sent with `Content-Type: application/json`',
    );
  }
  const stranger = Object.keys(body).find((name) => !known.includes(name));
  if (stranger === undefined) return body as Record<string, unknown>;
  throw new SessionRequestError(`the body has \`${stranger}\`: only ${known.join(', ')} can stand there`);
}

const wrong = (name: string, what: string): SessionRequestError =>
  new SessionRequestError(`\`${name}\` must be ${what}`);
