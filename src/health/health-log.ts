import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { Log } from '../logging/log.js';

/** Says when an indicator goes down and when it is up again, however often somebody asks in between. */
@Injectable()
export class HealthLog {
  private readonly logger = new Log('Health');
  private readonly down = new Set<string>();

  /** Is told what indicators have told. */
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

/** What an indicator tells of its trouble: its own message, or those of its parts (projects, outlets) by their names. */
function troublesIn(told: Readonly<Record<string, unknown>>, part?: string): string[] {
  const { message } = told;
  if (typeof message === 'string') return [part === undefined ? message : `${part}: ${message}`];
  return Object.entries(told).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null ? troublesIn({ ...value }, name) : [],
  );
}
