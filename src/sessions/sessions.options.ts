import { ToldError } from '../logging/told-error.js';
import type { Room } from 'livekit-server-sdk';
import { cut, plainTextOrNull } from '../database/plain-text.js';
import type { RoomFacts } from './facts/facts.js';
import { DEFAULT_PARTIES } from './fold/disposition.js';
import { SessionsOptionsError } from './errors.js';
import type { Session } from './session.js';
import { OptionChecks, type OptionNames } from '../option-checks.js';

/** The options of `SessionsModule.forRoot`. */
export interface SessionsModuleOptions {
  /**
   * Returns the host's own id for a room's session, given the earliest full room object that LiveKit has sent; the room's
   * name by default. If it returns nothing, or throws, the session has no id.
   */
  sessionId?: ((room: Room) => string | undefined) | undefined;
  /** Whether a session that nobody has expected is reported as unmatched; `false` by default. */
  requireExpected?: boolean | undefined;
  /** How long to wait for an expected session, milliseconds, 10 min by default. */
  expectTimeout?: number | undefined;
  /** How long after its end a session settles, milliseconds, 30 s by default: facts that arrive later correct it. */
  settle?: number | undefined;
  /** How long a session waits for a recording whose end is not reported, milliseconds, 24 h by default. */
  recordingTimeout?: number | undefined;
  /** How many parties must be there at once for a session to be a call, 2 by default; use 1 for an IVR or a voicemail. */
  parties?: number | undefined;
  /** Returns the host's own word for how a session went, or nothing to leave it to our rules. It must do no I/O. */
  disposition?: ((session: Session, facts: RoomFacts) => string | undefined) | undefined;
  /** Participant attributes to keep besides the `sip.*` ones that every SIP call has; none by default. */
  attributes?: readonly string[] | undefined;
  /**
   * LiveKit's address: with it, LiveKit is asked for what webhooks have missed, and rooms can be created. One address, or one
   * per project, by its name; an empty one counts as none. It is asked with the keys of `LivekitWebhookModule`.
   */
  livekitUrl?: string | Readonly<Record<string, string>> | undefined;
  /** How often LiveKit is asked, milliseconds, 15 s by default. */
  reconcileInterval?: number | undefined;
}

/** Options that shape the routes, and so must be known before any factory runs: beside `useFactory` in `forRootAsync`. */
export interface SessionsModuleExtras {
  /** The bearer token of the session routes; without one they do not exist. */
  adminToken?: string | undefined;
  /** Applied to their controllers, to pass the host's global guards: `[Public()]`. The token is required all the same. */
  adminDecorators?: ClassDecorator[] | undefined;
}

const OPTION_NAMES: OptionNames<SessionsModuleOptions> = {
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

/** The name of every option that shapes the routes: none is set by default. */
export const SESSIONS_EXTRAS: Readonly<Record<keyof SessionsModuleExtras, undefined>> = {
  adminToken: undefined,
  adminDecorators: undefined,
};

/** The options, checked and with the defaults filled in. */
export interface SessionsSettings {
  sessionId: SessionsModuleOptions['sessionId'];
  requireExpected: boolean;
  expectTimeout: number;
  settle: number;
  recordingTimeout: number;
  parties: number;
  disposition: SessionsModuleOptions['disposition'];
  attributes: ReadonlySet<string>;
  /** LiveKit's address by project; `''` stands for every other project. */
  livekitUrls: ReadonlyMap<string, string>;
  reconcileInterval: number;
}

/** The injection token of the settings. */
export const SESSIONS_SETTINGS = Symbol.for('nestjs-livekit-webhooks:sessions-settings');

const check = new OptionChecks(SessionsOptionsError);

const MINUTE = 60_000;

/** The longest time to wait for anything, milliseconds: a leap year. */
export const LONGEST_STAY = 366 * 24 * 60 * MINUTE;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws SessionsOptionsError naming the option and the cure.
 */
export function resolveSettings(options: SessionsModuleOptions): SessionsSettings {
  check.known(options, OPTION_NAMES, SESSIONS_EXTRAS);
  const stay = (option: 'expectTimeout' | 'settle' | 'recordingTimeout', otherwise: number): number =>
    check.whole(option, options[option] ?? otherwise, { most: LONGEST_STAY });
  return {
    sessionId: options.sessionId,
    requireExpected: options.requireExpected ?? false,
    expectTimeout: stay('expectTimeout', 10 * MINUTE),
    settle: stay('settle', MINUTE / 2),
    recordingTimeout: stay('recordingTimeout', 24 * 60 * MINUTE),
    parties: check.whole('parties', options.parties ?? DEFAULT_PARTIES, { least: 1 }),
    disposition: options.disposition,
    attributes: new Set(check.list('attributes', options.attributes ?? [])),
    livekitUrls: addresses(options.livekitUrl ?? {}),
    reconcileInterval: check.whole('reconcileInterval', options.reconcileInterval ?? MINUTE / 4, {
      least: 100,
    }),
  };
}

function addresses(given: string | Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const all = typeof given === 'string' ? [['', given] as const] : Object.entries(given);
  const entries = all.filter(([, url]) => url !== ''); // as an empty line of an `.env` leaves it
  for (const [project, url] of entries) {
    const option = project === '' ? 'livekitUrl' : `livekitUrl.${project}`;
    if (!/^(?:https?|wss?):\/\/[^\s/]+/.test(url) || !URL.canParse(url)) {
      throw new SessionsOptionsError(option, 'must be an address such as `https://livekit.example.com`');
    }
  }
  return new Map(entries);
}

/**
 * The text that an option's function returned, cut to the longest that its column takes; `null` if none.
 *
 * @throws ToldError when it returned a promise, which nobody awaits.
 */
export function textGiven(given: unknown, longest: number): string | null {
  if (!(given instanceof Promise)) {
    const text = plainTextOrNull(given);
    return text && cut(text, longest);
  }
  given.catch(() => undefined); // or its failure would end the process
  throw new ToldError('it gave a promise: it must answer at once, so leave out `async`');
}

/** The address of a project's LiveKit; undefined if it is not asked. */
export const livekitUrlOf = (
  { livekitUrls }: Pick<SessionsSettings, 'livekitUrls'>,
  project: string,
): string | undefined => livekitUrls.get(project) ?? livekitUrls.get('');
