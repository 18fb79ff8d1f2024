import type { Registry } from 'prom-client';

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
