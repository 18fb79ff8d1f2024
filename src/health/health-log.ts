import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { Log } from '../logging/log.js';

/** Logs when an indicator goes down and when it is up again, however often health is checked in between. */
@Injectable()
export class HealthLog {
  private readonly logger = new Log('Health');
  private readonly down = new Set<string>();

  /** Receives the results of indicators. */
  hear(indicators: HealthIndicatorResult): void {
    for (const [indicator, told] of Object.entries(indicators)) {
      const isDown = told.status === 'down';
      if (isDown === this.down.has(indicator)) continue;
      if (isDown) {
        this.down.add(indicator);
        this.logger.warn('a health indicator is down', { indicator, detail: troublesIn(told).join('; ') });
      } else {
        this.down.delete(indicator);
        this.logger.log('a health indicator is up again', { indicator });
      }
    }
  }
}

/** The messages of an indicator that is down: its own, or those of its parts (projects, outlets) by their names. */
function troublesIn(told: Readonly<Record<string, unknown>>, part?: string): string[] {
  const { message } = told;
  if (typeof message === 'string') return [part === undefined ? message : `${part}: ${message}`];
  return Object.entries(told).flatMap(([name, value]) =>
    typeof value === 'object' ? troublesIn({ ...value }, name) : [],
  );
}
