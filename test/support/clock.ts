import { TestClock } from '../../src/testing/test-clock.js';

/** A clock whose time can be assigned too: `clock.time += DAY`. */
export class AssignableClock extends TestClock {
  get time(): number {
    return this.now();
  }

  set time(time: number) {
    this.set(time);
  }
}
