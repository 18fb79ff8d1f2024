import { Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { sharedRead } from '../database/shared-read.js';
import { Deliveries } from '../event-log/deliveries/deliveries.js';
import { handlerOfOutlet } from '../outlets/outlet.js';
import { type OutletName, type OutletState, OutletStates } from '../outlets/outlet-states.js';

/** Reports to Terminus the state of this process's outlets: one whose last attempt failed is down while it has something to publish. */
@Injectable()
export class OutletsHealthIndicator {
  private readonly lag = sharedRead(() => this.deliveries.lag());

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly deliveries: Deliveries,
    @Optional() private readonly outlets?: OutletStates,
  ) {}

  /** Whether none is down, under `key`; up where there is none. */
  async isHealthy(key = 'outlets') {
    const indicator = this.indicators.check(key);
    const all = [...(this.outlets?.all ?? [])];
    const idle = all.some(([, { status }]) => status === 'down') ? await this.idleHandlers() : new Set();
    const told = all.map(([name, state]) => [name, shown(name, state, idle)] as const);
    const details = Object.fromEntries(told);
    return told.some(([, { status }]) => status === 'down') ? indicator.down(details) : indicator.up(details);
  }

  // What failed here has been published by another process since, or somebody has dismissed it.
  private async idleHandlers(): Promise<ReadonlySet<unknown>> {
    const lags = await this.lag().catch(() => []);
    return new Set(
      lags.filter(({ pending, running }) => pending + running === 0).map(({ handler }) => handler),
    );
  }
}

function shown(name: OutletName, state: OutletState, idle: ReadonlySet<unknown>) {
  if (state.status !== 'down') return { status: state.status };
  if (idle.has(handlerOfOutlet(name))) return { status: 'up' };
  return { status: state.status, since: new Date(state.since).toISOString(), message: state.message };
}
