import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { HandlerActivity, type HandlerRun } from '../event-log/run/handler-activity.js';
import { HandlerRegistry } from '../event-log/handlers/handler-registry.js';
import type { Settlement } from '../event-log/settle/settlements.js';
import { countEach, Instruments, type Observe } from './instruments.js';
import { LabelValues, MOST_HANDLERS } from './label-values.js';

/** The outcomes of an attempted delivery; a `released` one was not attempted. */
const OUTCOMES = ['done', 'retry', 'dead', 'discarded'] as const;

/** Seconds, from a handler that only counts to one that exceeds the time-out of 30 s. */
const RUN_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts the attempts and times the runs of handlers in this process. */
@Injectable()
export class HandlerMetrics implements OnModuleInit {
  private readonly attempts: Counter<'handler' | 'outcome'>;
  private readonly runSeconds: Observe<'handler' | 'outcome'>;
  private names = new LabelValues(MOST_HANDLERS);

  constructor(
    instruments: Instruments,
    private readonly activity: HandlerActivity,
    private readonly registry: HandlerRegistry,
  ) {
    this.attempts = instruments.counter({
      name: 'livekit_delivery_attempts_total',
      help: 'Attempts to deliver, by handler and what became of the delivery, once that is committed: done, retry, dead or discarded.',
      labelNames: ['handler', 'outcome'],
    });
    this.runSeconds = instruments.histogram(
      {
        name: 'livekit_handler_run_seconds',
        help: 'How long a call of a handler took, with a delivery or a batch of them, by handler and how it went: done, discarded or failed.',
        labelNames: ['handler', 'outcome'],
      },
      RUN_BUCKETS,
    );
  }

  onModuleInit(): void {
    const handlers = [...this.registry.handlers.keys()].toSorted();
    this.names = new LabelValues(MOST_HANDLERS, handlers);
    // To Prometheus, a counter that appears at 1 has not risen: nobody would notice the first dead letter.
    for (const name of handlers) {
      for (const outcome of OUTCOMES) this.attempts.inc({ handler: this.names.of(name), outcome }, 0);
    }
    this.activity.observe({
      ran: (run) => this.time(run),
      settled: (settlements) => this.count(settlements),
    });
  }

  private time({ handler, outcome, milliseconds }: HandlerRun): void {
    this.runSeconds({ handler: this.names.of(handler), outcome }, milliseconds / 1000);
  }

  private count(settlements: readonly Settlement[]): void {
    countEach(
      this.attempts,
      settlements
        .filter(({ verdict }) => verdict.state !== 'released')
        .map(({ delivery, verdict }) => ({
          handler: this.names.of(delivery.handler.name),
          outcome: verdict.state,
        })),
    );
  }
}
