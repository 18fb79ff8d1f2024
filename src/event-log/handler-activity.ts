import { Injectable } from '@nestjs/common';
import { Observers } from './observers.js';
import type { Settlement } from './settlements.js';

/** One call of a handler, with a delivery or with a batch of them. */
export interface HandlerRun {
  handler: string;
  /** `failed`: it threw. Of a batch, each is then run by itself. */
  outcome: 'done' | 'discarded' | 'failed';
  milliseconds: number;
}

/** Hears of what handlers do in this process. It must be quick, and can't change what follows. */
export interface HandlerObserver {
  /** A call has ended, in whose asynchronous context this is told. */
  ran(run: HandlerRun): void;
  /** What became of deliveries is committed. */
  settled(settlements: readonly Settlement[]): void;
}

/** Tells its observers (the metrics) what handlers do in this process. */
@Injectable()
export class HandlerActivity {
  private readonly observers = new Observers<HandlerObserver>('handlers');

  /** Adds an observer; returns what takes it away again. */
  observe(observer: HandlerObserver): () => void {
    return this.observers.add(observer);
  }

  /** To be called once for every call of a handler. */
  ran(run: HandlerRun): void {
    this.observers.tell((observer) => observer.ran(run));
  }

  /** To be called once what became of deliveries is committed. */
  settled(settlements: readonly Settlement[]): void {
    if (settlements.length > 0) this.observers.tell((observer) => observer.settled(settlements));
  }
}
