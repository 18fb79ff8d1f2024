import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { errorFields } from '../../logging/error-fields.js';
import { LOG_SETTINGS, type LogSettings } from '../../logging/log-options.js';
import { Log } from '../../logging/log.js';
import { traceIdOf } from '../../tracing/trace-context.js';
import type { Settlement } from '../settle/settlements.js';
import { HandlerActivity } from './handler-activity.js';

/** Logs each failed attempt when it has failed, and at `debug` each successful one once it is committed. */
@Injectable()
export class DeliveryLog implements OnModuleInit {
  private readonly logger = new Log('DeliveryRunner');

  constructor(
    private readonly activity: HandlerActivity,
    @Inject(LOG_SETTINGS) private readonly settings: LogSettings,
  ) {}

  onModuleInit(): void {
    if (!this.settings.writes('debug')) return;
    this.activity.observe({ ran: () => undefined, settled: (settlements) => settlements.forEach(this.done) });
  }

  /** To be called once for every attempt that has ended, before it is settled. */
  ended(settlement: Settlement): void {
    const { delivery, verdict, thrown, traceparent } = settlement;
    if (verdict.state === 'done' || verdict.state === 'released') return;
    const level = verdict.state === 'dead' ? 'error' : 'warn';
    if (!this.settings.writes(level)) return;
    this.logger.write(level, 'delivery', {
      ...fieldsOf(settlement),
      ...(verdict.state === 'retry' && { retryInMs: verdict.after }),
      // An error that was not thrown is in words of ours.
      ...(thrown === undefined ? { errorMessage: verdict.error } : errorFields(thrown)),
      traceId: traceIdOf(traceparent ?? delivery.event?.traceparent),
    });
  }

  private readonly done = (settlement: Settlement): void => {
    const { verdict, delivery } = settlement;
    const { event } = delivery;
    if (verdict.state !== 'done' || event === null) return;
    if (!this.settings.samples(event.roomName ?? event.roomSid ?? event.eventId)) return;
    this.logger.debug('delivery', { ...fieldsOf(settlement), traceId: traceIdOf(event.traceparent) });
  };
}

const fieldsOf = ({ delivery: { id, handler, event, attempt, replay }, verdict: { state } }: Settlement) => ({
  outcome: state,
  handler: handler.name,
  delivery: id,
  event: event?.name,
  id: event?.eventId,
  room: event?.roomName,
  project: event?.source,
  attempt,
  replay,
});
