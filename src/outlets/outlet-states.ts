import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../event-log/clock.js';
import { FailDelivery } from '../event-log/handlers/outcomes.js';
import { Observers } from '../event-log/observers.js';
import { errorFields, toldOf } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';

/** The name of an outlet. */
export type OutletName = 'jetstream' | 'redis' | 'webhook';

/** The state of an outlet in this process, going by its last attempt. */
export type OutletState =
  | { status: 'unused' }
  | { status: 'up' }
  | {
      status: 'down';
      /** When it went down, UTC milliseconds. */
      since: number;
      /** Why its last attempt failed, as far as anybody may know. */
      message: string;
    };

/** Receives the outcome of every attempt to publish. */
export type OutletObserver = (outlet: OutletName, outcome: 'published' | 'failed') => void;

/** Keeps the state of each outlet, for health, metrics and the log. */
@Injectable()
export class OutletStates {
  private readonly logger = new Log('Outlets');
  private readonly states = new Map<OutletName, OutletState>();
  private readonly observers = new Observers<OutletObserver>('outlets');

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** The outlets of this application. */
  get all(): ReadonlyMap<OutletName, OutletState> {
    return this.states;
  }

  /** Adds an observer; returns a function that removes it. */
  observe(observer: OutletObserver): () => void {
    return this.observers.add(observer);
  }

  /**
   * Registers an outlet.
   *
   * @internal
   */
  add(outlet: OutletName): void {
    this.states.set(outlet, { status: 'unused' });
  }

  /**
   * Runs an attempt to publish, and remembers its outcome; rejects as `attempt` does.
   *
   * @internal
   */
  async watch(outlet: OutletName, attempt: () => Promise<void>): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      this.tell(outlet, 'failed');
      // What is given up is the fault of one event, or the final word of the target.
      if (!(error instanceof FailDelivery)) this.wentDown(outlet, error);
      throw error;
    }
    this.tell(outlet, 'published');
    if (this.states.get(outlet)?.status === 'down') this.logger.log('an outlet is up again', { outlet });
    this.states.set(outlet, { status: 'up' });
  }

  private wentDown(outlet: OutletName, error: unknown): void {
    const before = this.states.get(outlet);
    const since = before?.status === 'down' ? before.since : this.clock.now();
    this.states.set(outlet, { status: 'down', since, message: toldOf(error) });
    if (before?.status !== 'down') {
      this.logger.warn('an outlet is down, and what it has to publish waits', {
        outlet,
        ...errorFields(error),
      });
    }
  }

  private tell(outlet: OutletName, outcome: 'published' | 'failed'): void {
    this.observers.tell((observer) => observer(outlet, outcome));
  }
}
