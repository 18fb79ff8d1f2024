import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';

/** Reports to Terminus whether the process has begun to stop and should receive no more traffic. */
@Injectable()
export class ShutdownHealthIndicator implements OnModuleDestroy {
  private stopping = false;

  constructor(private readonly indicators: HealthIndicatorService) {}

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Whether the process is not stopping, under `key`. */
  isRunning(key = 'shutdown') {
    const indicator = this.indicators.check(key);
    return this.stopping ? indicator.down({ message: 'stopping' }) : indicator.up();
  }
}
