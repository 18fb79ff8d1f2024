import type { Clock } from '../event-log/clock.js';
import { WebhookTestingError } from './errors.js';

/** A moment: UTC milliseconds, a date, or ISO 8601. */
export type Moment = number | Date | string;

/** Where a clock begins by default: shortly before the first captured call. */
const BEGINNING = '2026-11-23T08:00:00.000Z';

/** A clock that stands still until it is set: `.overrideProvider(CLOCK).useValue(new TestClock())`. */
export class TestClock implements Clock {
  private current: number;

  constructor(beginning: Moment = BEGINNING) {
    this.current = millisecondsOf(beginning);
  }

  now(): number {
    return this.current;
  }

  /** Sets it to a moment, even an earlier one. */
  set(moment: Moment): void {
    this.current = millisecondsOf(moment);
  }

  /** Advances it. */
  advance(milliseconds: number): void {
    this.set(this.current + milliseconds);
  }
}

function millisecondsOf(moment: Moment): number {
  const time = new Date(moment).getTime();
  if (!Number.isNaN(time)) return time;
  throw new WebhookTestingError(
    `\`${String(moment)}\` is no time: give UTC milliseconds, a Date, or ISO 8601 such as \`${BEGINNING}\``,
  );
}
