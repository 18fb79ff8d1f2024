import { Injectable, type OnModuleInit, Optional } from '@nestjs/common';
import { Backlog } from '../event-log/deliveries/backlog.js';
import { handlerOfOutlet } from '../outlets/outlet.js';
import { OutletStates } from '../outlets/outlet-states.js';
import { Instruments } from './instruments.js';
import { sharedRead } from '../database/shared-read.js';

/** Counts what outlets publish in this process, and shows which of them are down and how far behind they are. */
@Injectable()
export class OutletMetrics implements OnModuleInit {
  constructor(
    private readonly instruments: Instruments,
    private readonly backlog: Backlog,
    @Optional() private readonly outlets?: OutletStates,
  ) {}

  onModuleInit(): void {
    const { outlets, instruments } = this;
    if (outlets === undefined || outlets.all.size === 0) return;
    const names = [...outlets.all.keys()];
    const attempts = instruments.counter({
      name: 'livekit_outlet_attempts_total',
      help: 'Attempts to publish an event, by outlet and how they went: published or failed.',
      labelNames: ['outlet', 'outcome'],
    });
    for (const outlet of names) {
      for (const outcome of ['published', 'failed']) attempts.inc({ outlet, outcome }, 0);
    }
    instruments.gauge(
      {
        name: 'livekit_outlet_up',
        help: 'Whether the last attempt of an outlet did not fail, by outlet.',
        labelNames: ['outlet'],
      },
      function () {
        for (const [outlet, { status }] of outlets.all) this.set({ outlet }, status === 'down' ? 0 : 1);
      },
    );
    instruments.storeGauge(
      {
        name: 'livekit_outlet_lag_seconds',
        help: 'How long the oldest event that an outlet has yet to publish has been in the log, by outlet.',
        labelNames: ['outlet'],
      },
      sharedRead(() => this.backlog.ages(names.map(handlerOfOutlet))),
      (gauge, ages) => {
        for (const outlet of names) gauge.set({ outlet }, (ages.get(handlerOfOutlet(outlet)) ?? 0) / 1000);
      },
    );
    outlets.observe((outlet, outcome) => attempts.inc({ outlet, outcome }));
  }
}
