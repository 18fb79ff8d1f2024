import { exponentialBackoff } from '../../../src/event-log/backoff.js';
import {
  errorText,
  holdsRoom,
  readable,
  type Verdict,
  verdictOf,
} from '../../../src/event-log/settle/verdict.js';
import { DiscardDelivery, FailDelivery, RetryAfter } from '../../../src/event-log/handlers/outcomes.js';
import { claimed, handler } from './deliveries.js';

const DAY = 86_400_000;

describe('the verdict on a run that failed', () => {
  const decide = (thrown: unknown, attempt = 1, options: Parameters<typeof handler>[0] = {}, random = 0.5) =>
    verdictOf(thrown, claimed({ attempt, handler: handler({ maxAttempts: 3, ...options }) }), () => random);

  test('is another attempt after the backoff, until there are no more', () => {
    const verdicts = [1, 2, 3, 4].map((attempt) => decide(new Error('bad'), attempt));
    expect(verdicts).toEqual([
      { state: 'retry', after: 1_000, error: expect.stringMatching(/^Error: bad\n/) },
      { state: 'retry', after: 2_000, error: expect.any(String) },
      { state: 'dead', error: expect.stringMatching(/^Error: bad\n/) },
      { state: 'dead', error: expect.any(String) },
    ]);
  });

  test.each([
    [0, 800],
    [0.25, 900],
    [0.5, 1_000],
    [0.999_999, 1_200],
  ])('spreads the wait by a fifth to either side: %p', (random, after) => {
    expect(decide(new Error('bad'), 1, {}, random)).toMatchObject({ after });
  });

  test('is an end when the handler says so, even at the last attempt', () => {
    for (const attempt of [1, 3]) {
      expect(decide(new DiscardDelivery('no such order'), attempt)).toMatchObject({
        state: 'discarded',
        error: expect.stringMatching(/no such order/),
      });
    }
  });

  test('is a dead letter when the handler gives up, even at the first attempt', () => {
    expect(decide(new FailDelivery('it wants no more'))).toMatchObject({
      state: 'dead',
      error: expect.stringMatching(/it wants no more/),
    });
  });

  test.each([0, 1, 60_000, 366 * DAY])('is another attempt when the handler says so: after %p', (wait) => {
    expect(decide(new RetryAfter(wait), 1, {}, 0)).toMatchObject({ state: 'retry', after: wait });
  });

  test('rounds the wait that the handler asks for', () => {
    expect(decide(new RetryAfter(1.6))).toMatchObject({ after: 2 });
  });

  test('is a dead letter at the last attempt, whenever the handler wants the next', () => {
    expect(decide(new RetryAfter(60_000), 3)).toMatchObject({ state: 'dead' });
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 366 * DAY + 1, '60' as unknown as number])(
    'waits by the backoff when the handler asks for nonsense: %p',
    (wait) => {
      expect(decide(new RetryAfter(wait), 2)).toMatchObject({ state: 'retry', after: 2_000 });
    },
  );

  test.each<[string, (attempt: number) => number]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['gives no number', () => Number.NaN],
    ['gives a negative one', () => -5],
    ['gives more than a year', () => 366 * DAY + 1],
    ['gives a promise', (async () => 5) as unknown as () => number],
    ['gives nothing', (() => undefined) as unknown as () => number],
  ])('waits a minute when the backoff %s', (_, backoff) => {
    expect(decide(new Error('bad'), 1, { backoff })).toMatchObject({ state: 'retry', after: 60_000 });
  });

  test('asks the backoff by the attempt that failed', () => {
    expect(decide(new Error('bad'), 2, { backoff: (attempt) => attempt * 100 })).toMatchObject({
      after: 200,
    });
  });
});

describe('what is kept of what was thrown', () => {
  test.each<[string, unknown, RegExp]>([
    ['an error', new TypeError('bad'), /^TypeError: bad\n +at /],
    ['an error without a stack', Object.assign(new Error('bad'), { stack: undefined }), /^Error: bad$/],
    ['an error whose stack is no text', Object.assign(new Error('bad'), { stack: { line: 1 } }), /bad/],
    ['text', 'bad', /^'bad'$/],
    ['nothing', undefined, /^undefined$/],
    ['an object', { code: 7 }, /^\{ code: 7 \}$/],
    [
      'an object that fails to be shown',
      {
        [Symbol.for('nodejs.util.inspect.custom')]() {
          throw new Error('no');
        },
      },
      /can not be read/,
    ],
    [
      'an error that fails to be read',
      Object.defineProperty(new Error('bad'), 'stack', {
        get() {
          throw new Error('no');
        },
      }),
      /can not be read/,
    ],
    [
      'what refuses to say what it is',
      new Proxy(
        {},
        {
          getPrototypeOf() {
            throw new Error('no');
          },
        },
      ),
      /can not be read/,
    ],
  ])('is readable text of %s', (_, thrown, text) => {
    expect(errorText(thrown)).toMatch(text);
    expect(verdictOf(readable(thrown), claimed())).toMatchObject({
      state: 'retry',
      error: expect.stringMatching(text),
    });
  });

  test('is at most 4,000 characters that any database can hold', () => {
    expect(errorText('x'.repeat(10_000)).length).toBe(4_000);
    expect(errorText(Object.assign(new Error('nul'), { stack: 'a\0b\ud83c' }))).toBe('a\u2400b\ufffd');
  });
});

test.each<[Verdict['state'], boolean, boolean]>([
  ['done', false, false],
  ['retry', true, true],
  ['dead', false, true],
  ['discarded', false, false],
  ['released', true, true],
])(
  'after %s those behind in the room wait: %p, and where a dead letter blocks it: %p',
  (state, waits, blocked) => {
    const verdict = { state, after: 0, error: '' } as Verdict;
    const held = (blocking: boolean) =>
      holdsRoom({ delivery: claimed({ handler: handler({ blocking }) }), verdict });
    expect([held(false), held(true)]).toEqual([waits, blocked]);
  },
);

describe('the backoff', () => {
  const waits = (options?: Parameters<typeof exponentialBackoff>[0]) =>
    [1, 2, 3, 4, 5].map(exponentialBackoff(options));

  test('doubles from the first wait up to the longest', () => {
    expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
    expect(waits({ first: 10, longest: 50 })).toEqual([10, 20, 40, 50, 50]);
    expect(waits({ longest: 500 })).toEqual([500, 500, 500, 500, 500]);
    expect(waits({ first: 0 })).toEqual([0, 0, 0, 0, 0]);
  });

  test('stays at the longest however often it is asked', () => {
    expect([13, 20, 1_000, 1_000_000].map(exponentialBackoff())).toEqual(Array(4).fill(3_600_000));
  });
});
