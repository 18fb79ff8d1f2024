import { setTimeout as delay } from 'node:timers/promises';
import { exponentialBackoff, withJitter } from '../../event-log/backoff.js';
import type { WebhookTimes } from '../../event-log/last-webhooks.js';
import { errorFields, toldOf } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { type Ask, askUntil, LivekitCallError } from './asking.js';
import type { Duty } from './duty.js';
import type { KnownRooms } from './known-rooms.js';
import type { LivekitClient } from './livekit-clients.js';
import type { ProjectReconciler } from './project-reconciler.js';
import type { ReconciliationOutcome, ReconciliationRound, Reconciliations } from './reconciliations.js';
import { StaleAnswerError } from './repairs.js';

/** How long it sleeps at most: its lease must be renewed, and another's may have run out, milliseconds. */
const TICK = 5_000;

/** The pause between rounds while any rooms have not been asked about since a gap, milliseconds. */
const CATCHING_UP = 1_000;

/** How long sessions go on without a webhook before LiveKit is asked, even if the interval is longer, milliseconds. */
export const SILENCE = 60_000;

/** A process that wakes this much later than planned was suspended or held up, milliseconds. */
const OVERSLEPT = 5_000;

const backoff = exponentialBackoff({ first: 1_000, longest: 5 * 60_000 });

/** What a loop needs for its rounds. */
export interface LoopParts {
  client: LivekitClient;
  reconciler: ProjectReconciler;
  known: KnownRooms;
  webhooks: WebhookTimes;
  duty: Duty;
  rounds: Reconciliations;
  /** Milliseconds between rounds. */
  interval: number;
}

/** Reconciles one project for as long as the application runs: at its start, at an interval, after a gap and after silence. */
export class ReconciliationLoop {
  private readonly logger = new Log('Reconciliation');
  private readonly stopping = new AbortController();
  private readonly ask: Ask = askUntil(this.stopping.signal);
  private loop: Promise<void> = Promise.resolve();
  private last: Promise<unknown> = Promise.resolve();
  private isHeld = false;
  private isAfterGap = true;
  private failures = 0;
  private complaint: string | undefined;
  // By `performance.now()`: a clock that is set back must not put rounds off.
  private dueAt = 0;
  private roundAt = 0;

  constructor(private readonly parts: LoopParts) {}

  start(): void {
    this.loop = this.run();
  }

  /** Abandons the current call; nothing is appended any more. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the application is stopping'));
    await this.loop;
    await this.last;
    if (this.isHeld) await this.parts.duty.release().catch(() => undefined); // then its lease runs out
  }

  /** Does a round now, after the current one. @throws whatever it failed with. */
  roundNow(): Promise<ReconciliationRound> {
    const round = this.last.then(() => this.round());
    this.last = round.catch(() => undefined);
    return round;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const wait = Math.min(Math.max(this.dueAt - performance.now(), 0), TICK);
      const begun = Date.now(); // unlike `performance.now()`, it goes on while the machine is suspended
      await delay(wait, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      if (Date.now() - begun > wait + OVERSLEPT) this.gap();
      await this.turn();
    }
  }

  private async turn(): Promise<void> {
    try {
      const wasHeld = this.isHeld;
      this.isHeld = await this.parts.duty.hold();
      if (!this.isHeld) {
        this.dueAt = performance.now() + withJitter(TICK);
        return;
      }
      if (!wasHeld) this.gap();
      if (performance.now() < this.dueAt && !(await this.isSilent())) return;
    } catch (error) {
      this.fail(error);
      return;
    }
    await this.roundNow().then(
      () => this.succeed(),
      (error: unknown) => this.fail(error),
    );
  }

  /** Webhooks may have been missed: the next round, due now, asks about every room. */
  private gap(): void {
    this.isAfterGap = true;
    this.dueAt = 0;
  }

  private succeed(): void {
    const { reconciler, interval, client } = this.parts;
    if (this.failures > 0) {
      this.logger.log('a project is reconciled with LiveKit again', {
        project: client.project,
        host: client.host,
      });
      this.failures = 0;
      this.complaint = undefined;
    }
    const wait = reconciler.isCatchingUp ? Math.min(CATCHING_UP, interval) : interval;
    this.dueAt = performance.now() + withJitter(wait);
  }

  private fail(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.isAfterGap = true; // where calls failed, webhooks may have been lost too
    this.failures += 1;
    this.dueAt = performance.now() + withJitter(backoff(this.failures));
    const { project, host } = this.parts.client;
    const cause = outcomeOf(error);
    const complaint = `${cause} ${toldOf(error)}`;
    if (complaint === this.complaint) return;
    this.complaint = complaint;
    this.logger.warn('a project is not reconciled with LiveKit; trying again, less and less often', {
      project,
      host,
      cause,
      ...errorFields(error),
    });
  }

  private async isSilent(): Promise<boolean> {
    const { known, webhooks, client, interval } = this.parts;
    if (interval <= SILENCE || performance.now() < this.roundAt + SILENCE || this.failures > 0) return false;
    const { at, now } = await webhooks.last();
    if ((at.get(client.project) ?? -Infinity) > now - SILENCE) return false;
    return (await known.active(client.project)).length > 0;
  }

  private async round(): Promise<ReconciliationRound> {
    const { reconciler, rounds, client } = this.parts;
    if (this.isAfterGap) reconciler.catchUp();
    this.isAfterGap = false;
    this.roundAt = performance.now();
    try {
      const round = await reconciler.round(this.ask);
      rounds.record(round);
      return round;
    } catch (error) {
      if (!this.stopping.signal.aborted) {
        rounds.record({ project: client.project, outcome: outcomeOf(error), added: [], lostEgresses: [] });
      }
      throw error;
    }
  }
}

function outcomeOf(error: unknown): ReconciliationOutcome {
  if (error instanceof LivekitCallError) return 'failed';
  return error instanceof StaleAnswerError ? 'held_up' : 'store_failed';
}
