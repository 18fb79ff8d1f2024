import { neverBack } from '../../../src/event-log/clock.js';
import { TestClock } from '../../../src/testing/test-clock.js';

const HOUR = 3_600_000;

test('a clock that never goes back goes on at half the pace while it is ahead, and by the other clock from then on', () => {
  const clock = new TestClock(0);
  let passed = 0;
  const steady = neverBack(clock, () => passed);
  const pass = (milliseconds: number): number => {
    clock.advance(milliseconds);
    passed += milliseconds;
    return steady.now();
  };
  expect(pass(1_000)).toBe(1_000);
  clock.advance(HOUR);
  expect(steady.now()).toBe(HOUR + 1_000);
  clock.advance(-HOUR);
  expect(steady.now()).toBe(HOUR + 1_000);
  for (let n = 0; n < 500; n += 1) pass(1); // nothing is lost to rounding, however often it is asked
  expect(pass(1_500)).toBe(HOUR + 2_000);
  expect(pass(HOUR)).toBe(1.5 * HOUR + 2_000);
  expect(pass(HOUR - 2_000)).toBe(2 * HOUR + 1_000);
  expect(pass(1_000)).toBe(2 * HOUR + 2_000);
});

test('by time that stands still, it waits for the other clock', () => {
  const clock = new TestClock(HOUR);
  const steady = neverBack(clock, () => 0);
  expect(steady.now()).toBe(HOUR);
  clock.advance(-1_000);
  expect(steady.now()).toBe(HOUR);
  clock.advance(2_000);
  expect(steady.now()).toBe(HOUR + 1_000);
});
