import { Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { OutletStates } from '../outlets/outlet-states.js';

/** Reports to Terminus the state of this process's outlets, each by its last attempt. */
@Injectable()
export class OutletsHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Optional() private readonly outlets?: OutletStates,
  ) {}

  /** Whether none is down, under `key`; up where there is none. */
  isHealthy(key = 'outlets') {
    const indicator = this.indicators.check(key);
    const states = [...(this.outlets?.all ?? [])].map(([name, state]) => {
      const { status } = state;
      return [
        name,
        status === 'down'
          ? { status, since: new Date(state.since).toISOString(), message: state.message }
          : { status },
      ] as const;
    });
    const told = Object.fromEntries(states);
    return states.some(([, { status }]) => status === 'down') ? indicator.down(told) : indicator.up(told);
  }
}
