import type { ExpectationEntity } from '../../database/entities/expectation.entity.js';
import { plainText } from '../../database/plain-text.js';
import { LONGEST_NAME } from '../../event-log/events.js';
import type { ProjectKeys } from '../../livekit-webhook/project-keys.js';
import { SessionRequestError } from '../errors.js';
import { LONGEST_STAY } from '../sessions.options.js';
import { unknownProject } from '../unknown-project.js';

/** What a backend says about a session that it expects. */
export interface ExpectOptions {
  /** The name of the room it will be in, if its session id would not tell. */
  roomName?: string | undefined;
  /** Passed on with the session, in its JSON and in its events. */
  metadata?: Record<string, unknown> | undefined;
  /** How long to wait for it, milliseconds; the option `expectTimeout` by default. */
  expiresIn?: number | undefined;
  /** The project, by default the one called `default`. */
  project?: string | undefined;
}

/** The part of an expectation that the backend gives. */
export type ExpectedSession = Pick<ExpectationEntity, 'source' | 'sessionId' | 'roomName' | 'metadata'>;

/** The most characters of JSON: more is no description of a session. */
const LONGEST_METADATA = 64 * 1024;

/** The most levels: JSON that is much deeper can be written in some places of the code, but not where the stack is deeper. */
const DEEPEST_METADATA = 100;

/** Checks what a backend expects. @throws SessionRequestError when it can't be stored, or could never come. */
export function expectedSession(
  sessionId: string,
  { roomName, metadata = {}, expiresIn = 0, project = 'default' }: ExpectOptions,
  projects: ProjectKeys,
): ExpectedSession {
  requireName('session id', sessionId);
  if (roomName !== undefined) requireName('`roomName`', roomName);
  if (!Number.isInteger(expiresIn) || expiresIn < 0 || expiresIn > LONGEST_STAY) {
    throw new SessionRequestError(
      `\`expiresIn\` must be a whole number of milliseconds from 0 to ${LONGEST_STAY}`,
    );
  }
  // Nobody would ever come for it.
  if (!projects.has(project)) throw unknownProject(project, projects);
  const copy = copyOf(metadata);
  if (copy === undefined) {
    throw new SessionRequestError(
      `\`metadata\` of an expected session is an object of at most ${LONGEST_METADATA} characters of JSON, nested at most ${DEEPEST_METADATA} deep: keep more of it yourself, and its key here`,
    );
  }
  return {
    source: project,
    sessionId: plainText(sessionId),
    roomName: roomName === undefined ? null : plainText(roomName),
    metadata: copy,
  };
}

function requireName(what: string, name: unknown): void {
  if (typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME) return;
  throw new SessionRequestError(`the ${what} of an expected session is 1 to ${LONGEST_NAME} characters`);
}

/** Metadata as its JSON has it; `undefined` if it can't be stored. */
function copyOf(metadata: unknown): Record<string, unknown> | undefined {
  try {
    const json = JSON.stringify(metadata);
    const copy: unknown = JSON.parse(json); // which need be no object, where that has a `toJSON`
    return isObject(copy) && json.length <= LONGEST_METADATA && !isDeeper(copy, DEEPEST_METADATA)
      ? copy
      : undefined;
  } catch {
    return undefined; // too deep to be written at all, or no JSON
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1)));
