import type { Registry } from 'prom-client';

/** What `MetricsModule.forRoot` is told. */
export interface MetricsModuleOptions {
  /** Where the metrics are served, `/metrics` by default; `false` serves nothing (a host that serves its registry itself). */
  path?: string | false | undefined;
  /** The bearer token that is asked for; without one, anybody may read. */
  token?: string | undefined;
  /** Put on the controller, to let Prometheus past the host's global guards: `[Public(), SkipThrottle()]`. */
  decorators?: ClassDecorator[] | undefined;
  /** A registry of the host's to count into, instead of one of our own. */
  registry?: Registry | undefined;
  /** Also the process's own figures (memory, event loop), off by default. */
  processMetrics?: boolean | undefined;
}
