import { RunEnd } from '../../../src/event-log/run/run-end.js';

const late = new Error('too late');
const later = new Error('later still');

describe('a run that may be ended before its time', () => {
  test('gives what its work gives, failures too', async () => {
    await expect(new RunEnd().unlessEnded(async () => 'done')).resolves.toBeUndefined();
    await expect(new RunEnd().unlessEnded(() => Promise.reject(late))).rejects.toBe(late);
  });

  test('rejects when it is ended, whatever its work goes on to do', async () => {
    const end = new RunEnd();
    let fail: (reason: Error) => void = () => undefined;
    const run = end.unlessEnded(() => new Promise((_, reject) => (fail = reject)));
    end.end(late);
    await expect(run).rejects.toBe(late);
    fail(later);
  });

  test('is not begun when it was ended before', async () => {
    const end = new RunEnd();
    end.end(late);
    let isBegun = false;
    const work = async () => void (isBegun = true);
    await expect(end.unlessEnded(work)).rejects.toBe(late);
    expect(isBegun).toBe(false);
  });

  test.each([
    ['before its signal is asked for', true],
    ['after', false],
  ])('aborts its signal for the first reason, when it is ended %s', (_, isEarly) => {
    const end = new RunEnd();
    if (!isEarly) expect(end.signal.aborted).toBe(false);
    end.end(late);
    end.end(later);
    expect(end.signal.reason).toBe(late);
    expect(end.signal).toBe(end.signal);
  });
});
