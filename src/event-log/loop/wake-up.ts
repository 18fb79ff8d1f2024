import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventAppender } from '../append/event-appender.js';
import { Notifications } from '../notifications.js';

/** What there is to look at: events that this process appended, or whatever another one did. */
export type WakeHint = 'appended' | 'elsewhere';

/** Alerts the runner without delay: on a commit of this process, or on PostgreSQL's notification of another's. */
@Injectable()
export class WakeUp implements OnApplicationBootstrap, OnModuleDestroy {
  private listener: (hint: WakeHint) => void = () => undefined;
  private resolve: () => void = () => undefined;
  private readonly ends: (() => void)[] = [];

  constructor(
    private readonly events: EventAppender,
    private readonly notifications: Notifications,
  ) {}

  onApplicationBootstrap(): void {
    this.ends.push(
      this.events.onCommitted(() => this.listener('appended')),
      this.notifications.onNotified(() => this.listener('elsewhere')),
    );
  }

  onModuleDestroy(): void {
    for (const end of this.ends.splice(0)) end();
  }

  /** Sets the listener that is called when there is something to look at, and wakes the runner when it is time to. */
  onWake(listener: (hint: WakeHint) => void): void {
    this.listener = listener;
  }

  /** Resolves with the next signal. */
  next(): Promise<void> {
    return new Promise((resolve) => (this.resolve = resolve));
  }

  /** Resolves the last promise of `next`. */
  signal(): void {
    this.resolve();
  }
}
