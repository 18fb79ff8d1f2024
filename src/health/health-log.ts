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
    for (const [indicator, { status, message }] of Object.entries(indicators)) {
      const isDown = status === 'down';
      if (isDown === this.down.has(indicator)) continue;
      if (isDown) {
        this.down.add(indicator);
        this.logger.warn('a health indicator is down', { indicator, detail: message });
      } else {
        this.down.delete(indicator);
        this.logger.log('a health indicator is up again', { indicator });
      }
    }
  }
}
