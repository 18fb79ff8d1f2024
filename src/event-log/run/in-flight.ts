import { Injectable } from '@nestjs/common';
import { Log } from '../../logging/log.js';
import type { ClaimedDelivery, Demand } from '../claim/claims.js';
import { Leases } from '../claim/leases.js';
import type { Handler } from '../handlers/handler.js';
import type { Settlement } from '../settle/settlements.js';
import { holdsRoom } from '../settle/verdict.js';
import { DeliveryLog } from './delivery-log.js';
import { HandlerActivity } from './handler-activity.js';
import { HandlerQueue } from './handler-queue.js';
import { HandlerRuns } from './handler-runs.js';

/** Runs the deliveries that this process has claimed, and collects how they ended until that is settled. */
@Injectable()
export class InFlight {
  private readonly logger = new Log('DeliveryRunner');
  private readonly queues = new Map<string, HandlerQueue>();
  private ended: Settlement[] = [];
  private isClosed = false;
  private onEnded: (handler: string, mayHaveMore: boolean) => void = () => undefined;

  constructor(
    private readonly runs: HandlerRuns,
    private readonly leases: Leases,
    private readonly activity: HandlerActivity,
    private readonly deliveryLog: DeliveryLog,
  ) {}

  /**
   * Makes room for deliveries of these handlers.
   *
   * @param onEnded is called when a run has ended, and told whether its handler may have something due that could not be
   *   claimed before.
   */
  open(handlers: Iterable<Handler>, onEnded: (handler: string, mayHaveMore: boolean) => void): void {
    for (const handler of handlers) this.queues.set(handler.name, new HandlerQueue(handler));
    this.onEnded = onEnded;
  }

  /** Begins no more runs, and releases what has not begun. */
  close(): void {
    this.isClosed = true;
    for (const queue of this.queues.values()) this.release(queue.clear());
  }

  /** How many deliveries these handlers have room for, of those that have any. */
  wantedBy(handlers: Iterable<string>): Demand[] {
    return [...handlers]
      .flatMap((name) => this.queues.get(name) ?? [])
      .map(({ handler, demand }) => ({ handler, limit: demand }))
      .filter(({ limit }) => limit > 0);
  }

  /** Takes in claimed deliveries, and begins the runs that may begin. @param asked when they were claimed, as for `Leases`. */
  begin(claimed: readonly ClaimedDelivery[], asked: number): void {
    for (const delivery of claimed) {
      this.leases.hold(delivery, asked);
      this.queues.get(delivery.handler.name)?.add(delivery);
    }
    if (this.isClosed) return this.close();
    for (const queue of this.queues.values()) this.startRuns(queue);
  }

  /** Whether anything is to be settled. */
  get hasEnded(): boolean {
    return this.ended.length > 0;
  }

  /** Takes out all that is to be settled. */
  takeEnded(): Settlement[] {
    const ended = this.ended;
    this.ended = [];
    return ended;
  }

  /** Takes back what could not be settled. */
  putBack(settlements: readonly Settlement[]): void {
    this.ended = [...settlements, ...this.ended];
  }

  /** To be called once settlements are committed. @param lost the ids of those whose lease had been lost. */
  settled(settlements: readonly Settlement[], lost: readonly number[]): void {
    for (const { delivery } of settlements) this.leases.drop(delivery);
    if (lost.length > 0) {
      this.logger.warn('leases were lost before deliveries were acknowledged: another run counts', {
        deliveries: lost.join(', '),
      });
    }
    this.activity.settled(settlements.filter(({ delivery }) => !lost.includes(delivery.id)));
  }

  private startRuns(queue: HandlerQueue): void {
    for (let run = queue.next(); run !== undefined; run = queue.next()) void this.runOne(queue, run);
  }

  private async runOne(queue: HandlerQueue, run: ClaimedDelivery[]): Promise<void> {
    const started = performance.now();
    const settlements = await this.runs.run(run, (delivery) => this.leases.of(delivery));
    // What was acknowledged in its transaction, or is another process's by now, is not to be settled.
    const unsettled = new Set(settlements.map(({ delivery }) => delivery));
    for (const delivery of run) if (!unsettled.has(delivery)) this.leases.drop(delivery);
    for (const settlement of settlements) this.deliveryLog.ended(settlement);
    const isHeld = settlements.some(holdsRoom);
    this.ended.push(...settlements);
    this.release(queue.ended(run, performance.now() - started, isHeld));
    if (!this.isClosed) this.startRuns(queue);
    this.onEnded(queue.handler.name, !queue.hasMoreOf(run));
  }

  private release(deliveries: readonly ClaimedDelivery[]): void {
    for (const delivery of deliveries) this.ended.push({ delivery, verdict: { state: 'released' } });
  }
}
