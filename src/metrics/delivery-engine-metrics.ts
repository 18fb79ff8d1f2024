import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { Dispatcher } from '../event-log/engines/dispatcher.js';
import type { EngineFigures } from '../event-log/engines/engine-supply.js';
import { Instruments } from './instruments.js';

/** Shows whether the engine, where there is one, carries deliveries, and counts them. */
@Injectable()
export class DeliveryEngineMetrics implements OnModuleInit {
  constructor(
    private readonly instruments: Instruments,
    private readonly dispatcher: Dispatcher,
  ) {}

  onModuleInit(): void {
    const { instruments, dispatcher } = this;
    const hasEngine = dispatcher.figures.type !== 'database';
    instruments.gauge(
      {
        name: 'livekit_delivery_engine_up',
        help: '1: the engine took the last deliveries that it was given; 0: they wait in the store.',
        labelNames: ['engine'],
      },
      function () {
        const { type, isUp } = dispatcher.figures;
        if (hasEngine) this.set({ engine: type }, isUp ? 1 : 0);
      },
    );
    const counted = (figure: (figures: EngineFigures) => number) =>
      function (this: Counter<'engine'>) {
        this.reset();
        if (hasEngine) this.inc({ engine: dispatcher.figures.type }, figure(dispatcher.figures));
      };
    instruments.counter(
      {
        name: 'livekit_delivery_engine_carried_total',
        help: 'Deliveries that the engine was given.',
        labelNames: ['engine'],
      },
      counted(({ carried }) => carried),
    );
    instruments.counter(
      {
        name: 'livekit_delivery_engine_failures_total',
        help: 'Times that the engine did not take what it was given.',
        labelNames: ['engine'],
      },
      counted(({ failures }) => failures),
    );
  }
}
