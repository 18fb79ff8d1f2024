import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';

/** Tells Terminus whether the process has begun to stop: no more traffic should be sent to it then. */
@Injectable()
export class ShutdownHealthIndicator implements OnModuleDestroy {
  private stopping = false;

  constructor(private readonly indicators: HealthIndicatorService) {}

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Whether the process goes on, under `key`. */
  isRunning(key = 'shutdown') {
    const indicator = this.indicators.check(key);
    return this.stopping ? indicator.down({ message: 'stopping' }) : indicator.up();
  }
}
