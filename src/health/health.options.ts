import { MOST_COUNTED } from '../event-log/deliveries/backlog.js';
import { OptionChecks, type OptionNames } from '../option-checks.js';
import { LivekitHealthOptionsError } from './errors.js';

/** The highest threshold for dead letters: of one handler, no more than one above it are counted. */
export const MOST_DEAD_LETTERS = MOST_COUNTED - 1;

/** The options of `LivekitHealthModule`: thresholds beyond which an indicator is down; `false` switches one off. */
export interface LivekitHealthModuleOptions {
  /** How long a delivery may have been due, milliseconds, 5 min by default. */
  deliveryLag?: number | false | undefined;
  /** How long an event may wait to be handed to its handlers, milliseconds, 1 min by default. */
  routingLag?: number | false | undefined;
  /** How many dead letters there may be that have not been replayed or dismissed, none by default; 9,999 at most. */
  deadLetters?: number | false | undefined;
  /**
   * How long no webhook may arrive while somebody is in a room, milliseconds. By default silence counts as down only when it
   * is proven: LiveKit has opened a room since, and no webhook has arrived.
   */
  webhookSilence?: number | false | undefined;
}

const OPTION_NAMES: OptionNames<LivekitHealthModuleOptions> = {
  deliveryLag: true,
  routingLag: true,
  deadLetters: true,
  webhookSilence: true,
};

/** The options, checked, with the defaults filled in. */
export interface HealthSettings extends Record<
  Exclude<keyof LivekitHealthModuleOptions, 'webhookSilence'>,
  number | false
> {
  /** Undefined: only proven silence counts. */
  webhookSilence: number | false | undefined;
}

/** The injection token of the settings. */
export const HEALTH_SETTINGS = Symbol.for('nestjs-livekit-webhooks:health-settings');

const check = new OptionChecks(LivekitHealthOptionsError);

const MINUTE = 60_000;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws LivekitHealthOptionsError naming the option and the cure.
 */
export function resolveSettings(options: LivekitHealthModuleOptions = {}): HealthSettings {
  check.known(options, OPTION_NAMES);
  const { deliveryLag = 5 * MINUTE, routingLag = MINUTE, deadLetters = 0, webhookSilence } = options;
  return {
    deliveryLag: threshold('deliveryLag', deliveryLag),
    routingLag: threshold('routingLag', routingLag),
    deadLetters: threshold('deadLetters', deadLetters, MOST_DEAD_LETTERS),
    webhookSilence: webhookSilence === undefined ? undefined : threshold('webhookSilence', webhookSilence),
  };
}

const threshold = (
  option: keyof LivekitHealthModuleOptions,
  value: number | false,
  most?: number,
): number | false =>
  value === false ? false : check.whole(option, value, { ...(most && { most }), or: ', or `false`' });
