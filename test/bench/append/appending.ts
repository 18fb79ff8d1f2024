import { answer } from '../child.js';
import { nextEvent } from '../events.js';
import type { NewEvent } from '../../../dist/event-log/events.js';
import type { Measure } from '../rounds.js';

/** For how long to append, and how many events at a time: the answer is an `Appending`. */
export interface AppendQuestion {
  atOnce: number;
  milliseconds: number;
}

/** What was appended, and how soon each event was on the disk. */
export interface Appending extends Measure {
  appended: number;
  'appends/s': number;
  'ms p99': number;
}

/** More than anybody appends, by how many are appended at a time. */
const mostASecond = (atOnce: number): number => Math.min(10_000 * atOnce, 100_000);

/** Answers the bench: every lane appends one event after the other, and has it on the disk before it goes on. */
export function answerByAppending(append: (event: NewEvent) => Promise<unknown>): void {
  answer<AppendQuestion>(async ({ atOnce, milliseconds }): Promise<Appending> => {
    const events = Array.from({ length: (mostASecond(atOnce) * milliseconds) / 1_000 }, nextEvent);
    const latencies: number[] = [];
    const start = performance.now();
    const lane = async () => {
      for (let begun = start; begun - start < milliseconds; begun = performance.now()) {
        const event = events.pop();
        if (event === undefined) throw new Error('the events ran out: make more of them');
        await append(event);
        latencies.push(performance.now() - begun);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    const seconds = (performance.now() - start) / 1_000;
    latencies.sort((a, b) => a - b);
    return {
      appended: latencies.length,
      'appends/s': latencies.length / seconds,
      'ms p99': latencies[Math.floor((latencies.length - 1) * 0.99)] ?? NaN,
    };
  });
}
