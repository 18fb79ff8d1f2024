import { Injectable } from '@nestjs/common';
import { Observers } from '../observers.js';
import type { Settlement } from '../settle/settlements.js';

/** One call of a handler, with a delivery or with a batch of them. */
export interface HandlerRun {
  handler: string;
  /** `failed`: it threw. The deliveries of a batch are then run one by one. */
  outcome: 'done' | 'discarded' | 'failed';
  milliseconds: number;
}

/** Observes what handlers do in this process. It must be quick, and can't change what follows. */
export interface HandlerObserver {
  /** A call has ended; it is reported in that call's asynchronous context. */
  ran(run: HandlerRun): void;
  /** The outcomes of deliveries are committed. */
  settled(settlements: readonly Settlement[]): void;
}

/** Reports to its observers (the metrics, the log) what handlers do in this process. */
@Injectable()
export class HandlerActivity {
  private readonly observers = new Observers<HandlerObserver>('handlers');

  /** Adds an observer; returns a function that removes it. */
  observe(observer: HandlerObserver): () => void {
    return this.observers.add(observer);
  }

  /** To be called once for every call of a handler. */
  ran(run: HandlerRun): void {
    this.observers.tell((observer) => observer.ran(run));
  }

  /** To be called once the outcomes of deliveries are committed. */
  settled(settlements: readonly Settlement[]): void {
    if (settlements.length > 0) this.observers.tell((observer) => observer.settled(settlements));
  }
}
