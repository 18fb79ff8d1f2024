import { Lease, LeaseOverError } from '../../../src/event-log/claim/lease.js';

describe('a lease that is given up', () => {
  let lease: Lease;
  let heard: string[];
  beforeEach(() => {
    lease = new Lease(1, 60_000, performance.now());
    heard = [];
  });
  const listen = (name: string) => lease.onGivenUp(({ message }) => heard.push(`${name}: ${message}`));

  test('tells whoever listens, once, and the first reason', () => {
    listen('a');
    listen('b');
    expect(lease.isGivenUp).toBe(false);
    lease.giveUp(new Error('lost'));
    lease.giveUp(new Error('stopping'));
    expect(lease.isGivenUp).toBe(true);
    expect(heard).toEqual(['a: lost', 'b: lost']);
  });

  test('tells those who come later at once, and those who have left nothing', () => {
    listen('a')();
    lease.giveUp(new Error('lost'));
    listen('b');
    expect(heard).toEqual(['b: lost']);
  });
});

describe('a lease that lasts', () => {
  test('lets a run begin until it is over, and again when it was lengthened', () => {
    const lease = new Lease(1, 1_000, performance.now() - 2_000);
    expect(() => lease.requireTime()).toThrow(LeaseOverError);
    lease.renew(performance.now());
    expect(() => lease.requireTime()).not.toThrow();
  });
});
