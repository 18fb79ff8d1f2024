import { ToldError } from '../logging/told-error.js';
import type { Room } from 'livekit-server-sdk';
import { plainTextOrNull } from '../database/plain-text.js';
import type { RoomFacts } from './facts/facts.js';
import { DEFAULT_PARTIES } from './fold/disposition.js';
import { SessionsOptionsError } from './errors.js';
import type { Session } from './session.js';
import { strayOption } from '../stray-option.js';

/** What `SessionsModule.forRoot` is told. */
export interface SessionsModuleOptions {
  /**
   * Names the session that a room belongs to in the host's own terms, from the earliest full room object that LiveKit
   * has told; the room's name by default. Nothing, or an error, leaves the session without an id.
   */
  sessionId?: ((room: Room) => string | undefined) | undefined;
  /** Whether a session that nobody has expected is told as unmatched; no by default. */
  requireExpected?: boolean | undefined;
  /** How long an expected session may stay away, milliseconds, 10 min by default. */
  expectTimeout?: number | undefined;
  /** How long after its end a session settles, milliseconds, 30 s by default: facts that come later correct it. */
  settle?: number | undefined;
  /** How long a session waits for a recording whose end is not told, milliseconds, 24 h by default. */
  recordingTimeout?: number | undefined;
  /** How many parties must be there at once for a session to be a call, 2 by default; an IVR or a voicemail says 1. */
  parties?: number | undefined;
  /** The host's own word for how a session went, before our rules; nothing leaves it to them. It must do no I/O. */
  disposition?: ((session: Session, facts: RoomFacts) => string | undefined) | undefined;
  /** Participant attributes to keep beside the `sip.*` ones that every SIP call has; none by default. */
  attributes?: readonly string[] | undefined;
  /**
   * Where LiveKit is: then it is asked for what webhooks have missed, and rooms can be made. One address, or one a project,
   * by its name; an empty one is none. It is asked with the keys of `LivekitWebhookModule`.
   */
  livekitUrl?: string | Readonly<Record<string, string>> | undefined;
  /** How often LiveKit is asked, milliseconds, 15 s by default. */
  reconcileInterval?: number | undefined;
}

/** What shapes the routes, and so must be known before any factory runs: beside `useFactory` in `forRootAsync`. */
export interface SessionsModuleExtras {
  /** The bearer token of the session routes; without one they do not exist. */
  adminToken?: string | undefined;
  /** Put on their controllers, to let them past the host's global guards: `[Public()]`. The token is asked for all the same. */
  adminDecorators?: ClassDecorator[] | undefined;
}

/** The name of every option, for those whom no compiler tells. */
const OPTION_NAMES: Readonly<Record<keyof SessionsModuleOptions, true>> = {
  sessionId: true,
  requireExpected: true,
  expectTimeout: true,
  settle: true,
  recordingTimeout: true,
  parties: true,
  disposition: true,
  attributes: true,
  livekitUrl: true,
  reconcileInterval: true,
};

/** The name of everything that shapes the routes: none of it is given by default. */
export const SESSIONS_EXTRAS: Readonly<Record<keyof SessionsModuleExtras, undefined>> = {
  adminToken: undefined,
  adminDecorators: undefined,
};

/** The options, checked, with every default in its place. */
export interface SessionsSettings {
  sessionId: SessionsModuleOptions['sessionId'];
  requireExpected: boolean;
  expectTimeout: number;
  settle: number;
  recordingTimeout: number;
  parties: number;
  disposition: SessionsModuleOptions['disposition'];
  attributes: ReadonlySet<string>;
  /** The address of LiveKit by project; `''` is every other project's. */
  livekitUrls: ReadonlyMap<string, string>;
  reconcileInterval: number;
}

/** Where the settings are injected from. */
export const SESSIONS_SETTINGS = Symbol.for('nestjs-livekit-webhooks:sessions-settings');

const MINUTE = 60_000;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws SessionsOptionsError naming the option and the cure.
 */
export function resolveSettings(options: SessionsModuleOptions): SessionsSettings {
  const stray = strayOption(options, { known: OPTION_NAMES, beside: SESSIONS_EXTRAS });
  if (stray !== undefined) throw new SessionsOptionsError(...stray);
  return {
    sessionId: options.sessionId,
    requireExpected: options.requireExpected ?? false,
    expectTimeout: whole('expectTimeout', options.expectTimeout ?? 10 * MINUTE, 0),
    settle: whole('settle', options.settle ?? MINUTE / 2, 0),
    recordingTimeout: whole('recordingTimeout', options.recordingTimeout ?? 24 * 60 * MINUTE, 0),
    parties: whole('parties', options.parties ?? DEFAULT_PARTIES, 1),
    disposition: options.disposition,
    attributes: new Set(options.attributes),
    livekitUrls: addresses(options.livekitUrl ?? {}),
    reconcileInterval: whole('reconcileInterval', options.reconcileInterval ?? MINUTE / 4, 100),
  };
}

function whole(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new SessionsOptionsError(option, `must be a whole number of at least ${least}`);
}

function addresses(given: string | Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const all = typeof given === 'string' ? [['', given] as const] : Object.entries(given);
  const entries = all.filter(([, url]) => url !== ''); // as the blank line of an `.env` leaves it
  for (const [project, url] of entries) {
    const option = project === '' ? 'livekitUrl' : `livekitUrl.${project}`;
    if (!/^(?:https?|wss?):\/\/[^\s/]+/.test(url)) {
      throw new SessionsOptionsError(option, 'must be an address such as `https://livekit.example.com`');
    }
  }
  return new Map(entries);
}

/**
 * The text that a function of an option gave; `null`: none.
 *
 * @throws TypeError when it gave a promise, which nobody waits for.
 */
export function textGiven(given: unknown): string | null {
  if (!(given instanceof Promise)) return plainTextOrNull(given);
  given.catch(() => undefined); // or its failure would end the process
  throw new ToldError('it gave a promise: it must answer at once, so leave out `async`');
}

/** Where a project's LiveKit is; undefined: it is not asked. */
export const livekitUrlOf = (
  { livekitUrls }: Pick<SessionsSettings, 'livekitUrls'>,
  project: string,
): string | undefined => livekitUrls.get(project) ?? livekitUrls.get('');
