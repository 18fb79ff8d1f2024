import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Backlog, type HandlerBacklog, MOST_COUNTED } from '../event-log/deliveries/backlog.js';
import { Instruments } from './instruments.js';
import { LabelValues, MOST_HANDLERS } from './label-values.js';

/** Shows how far deliveries are behind, read from the store and so the same in every process. */
@Injectable()
export class DeliveryMetrics implements OnModuleInit {
  constructor(
    private readonly instruments: Instruments,
    private readonly backlog: Backlog,
  ) {}

  onModuleInit(): void {
    const { instruments, backlog } = this;
    const ofHandlers = (name: string, help: string, figure: (backlog: HandlerBacklog) => number) =>
      instruments.storeGauge(
        { name, help, labelNames: ['handler'] },
        backlog.summary,
        (gauge, { handlers }) => {
          for (const one of toldApart(handlers)) gauge.set({ handler: one.handler }, figure(one));
        },
      );
    ofHandlers(
      'livekit_delivery_lag_seconds',
      'How long the delivery that has been due the longest has been due, by handler; 0 for one that is paused.',
      ({ overdue }) => overdue / 1000,
    );
    ofHandlers(
      'livekit_deliveries_pending',
      `Deliveries that wait, due or not, by handler; no more than ${MOST_COUNTED} of each are counted.`,
      ({ pending }) => pending,
    );
    ofHandlers(
      'livekit_deliveries_dead',
      `Dead letters that nobody has seen to, by handler; no more than ${MOST_COUNTED} of each are counted.`,
      ({ dead }) => dead,
    );
    instruments.storeGauge(
      {
        name: 'livekit_routing_lag_seconds',
        help: 'How long the oldest event that no handler has been given yet has been in the log.',
      },
      backlog.summary,
      (gauge, { unrouted }) => gauge.set(unrouted / 1000),
    );
  }
}

/** The backlog of each handler that has a label of its own, and of all the others together. */
function toldApart(backlogs: readonly HandlerBacklog[]): HandlerBacklog[] {
  const labels = new LabelValues(MOST_HANDLERS);
  const byLabel = new Map<string, HandlerBacklog>();
  for (const { pending, dead, overdue, ...one } of backlogs) {
    const handler = labels.of(one.handler);
    const others = byLabel.get(handler) ?? { handler, pending: 0, dead: 0, overdue: 0 };
    byLabel.set(handler, {
      handler,
      pending: others.pending + pending,
      dead: others.dead + dead,
      overdue: Math.max(others.overdue, overdue),
    });
  }
  return [...byLabel.values()];
}
