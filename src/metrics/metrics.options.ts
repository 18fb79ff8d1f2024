import type { Registry } from 'prom-client';
import { OptionChecks, type OptionNames } from '../option-checks.js';
import { MetricsOptionsError } from './errors.js';

/** The options of `MetricsModule.forRoot`. */
export interface MetricsModuleOptions {
  /** Where the metrics are served, `/metrics` by default; `false` serves nothing (a host that serves its registry itself). */
  path?: string | false | undefined;
  /** The bearer token that is required; without one, anybody may read. */
  token?: string | undefined;
  /** Put on the controller, to let Prometheus past the host's global guards: `[Public(), SkipThrottle()]`. */
  decorators?: ClassDecorator[] | undefined;
  /** The host's registry to register the metrics in, instead of one of our own. */
  registry?: Registry | undefined;
  /** Whether to add the process's own metrics (memory, event loop), off by default. */
  processMetrics?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<MetricsModuleOptions> = {
  path: true,
  token: true,
  decorators: true,
  registry: true,
  processMetrics: true,
};

/**
 * Refuses options that would be ignored: with a misspelt `token`, anybody could read the metrics.
 *
 * @throws MetricsOptionsError naming the option and the cure.
 */
export function requireKnown(options: MetricsModuleOptions): MetricsModuleOptions {
  new OptionChecks(MetricsOptionsError).known(options, OPTION_NAMES);
  return options;
}
