import type { EventKind, LoggedEvent } from '../../../src/event-log/events.js';
import { buildHandlers, type SubscribedEvents } from '../../../src/event-log/handlers/build-handler.js';
import { HandlerDeclarationError } from '../../../src/event-log/handlers/errors.js';
import type { HandlerDeclaration, HandlerOptions } from '../../../src/event-log/handlers/handler.js';

const declared = (changes: Partial<HandlerDeclaration> = {}): HandlerDeclaration => ({
  kind: 'livekit',
  names: ['room_started'],
  options: {},
  decode: ({ kind }) => `decoded as ${changes.kind ?? 'livekit'}: ${kind}`,
  ...changes,
});
const build = (declarations: HandlerDeclaration[], subscribed: SubscribedEvents = new Map()) =>
  buildHandlers({ where: 'Class.method', declarations, call: () => undefined }, subscribed);
const withOptions = (options: object) => build([declared({ options: options as HandlerOptions })])[0];
const heard = (...names: string[]): SubscribedEvents => new Map([['livekit', new Set(names)]]);

describe('a handler', () => {
  test('has every default that the documentation tells', () => {
    expect(withOptions({})).toMatchObject({
      name: 'Class.method',
      where: 'Class.method',
      patterns: ['livekit:room_started'],
      transactional: false,
      internal: false,
      batch: null,
      ordered: false,
      blocking: false,
      concurrency: 10,
      maxAttempts: 20,
      timeout: 30_000,
      lease: 60_000,
      backfillSince: null,
    });
    expect([1, 2, 13].map((attempt) => withOptions({})?.backoff(attempt))).toEqual([1_000, 2_000, 3_600_000]);
  });

  test('runs one batch at a time unless told', () => {
    expect(withOptions({ batch: 5 })).toMatchObject({ batch: 5, concurrency: 1 });
    expect(withOptions({ batch: 5, concurrency: 3 })).toMatchObject({ concurrency: 3 });
  });

  test('is what its options say', () => {
    const backoff = (attempt: number) => attempt;
    expect(
      withOptions({
        name: 'a.name:of-its_own',
        transactional: true,
        ordering: 'room',
        onDeadLetter: 'block',
        maxAttempts: 3,
        backoff,
        timeout: 5,
        lease: 1_000,
        backfill: true,
      }),
    ).toMatchObject({
      name: 'a.name:of-its_own',
      transactional: true,
      ordered: true,
      blocking: true,
      maxAttempts: 3,
      backoff,
      timeout: 5,
      lease: 1_000,
      backfillSince: 0,
    });
    expect(withOptions({ backfill: new Date(5) })?.backfillSince).toBe(5);
    expect(withOptions({ backoff: { first: 5, longest: 8 } })?.backoff(9)).toBe(8);
  });

  test('is one of several decorators on its method: their events and options add up', () => {
    const handlers = build([
      declared({ names: ['room_started', 'room_finished'], options: { concurrency: 2 } }),
      declared({ names: ['room_finished'], options: { maxAttempts: 3, concurrency: 2 } }),
      declared({ kind: 'app', names: ['order.created'] }),
    ]);
    expect(handlers).toHaveLength(1);
    expect(handlers[0]).toMatchObject({
      patterns: ['livekit:room_started', 'livekit:room_finished', 'app:order.created'],
      concurrency: 2,
      maxAttempts: 3,
    });
  });

  test('is several where its decorators have several names', () => {
    const handlers = build([
      declared({ options: { name: 'one', concurrency: 1 } }),
      declared({ options: { concurrency: 2 } }),
      declared({ names: ['room_finished'], options: { name: 'one' } }),
    ]);
    expect(handlers.map(({ name, patterns, concurrency }) => [name, patterns, concurrency])).toEqual([
      ['one', ['livekit:room_started', 'livekit:room_finished'], 1],
      ['Class.method', ['livekit:room_started'], 2],
    ]);
  });

  test('decodes each event as the decorator of its kind does', () => {
    const [handler] = build([declared(), declared({ kind: 'app', names: ['*'] })]);
    const decode = (kind: EventKind) => handler?.decode({ kind } as LoggedEvent);
    expect([decode('livekit'), decode('app'), decode('session')]).toEqual([
      'decoded as livekit: livekit',
      'decoded as app: app',
      undefined,
    ]);
  });

  test.each<[string, Partial<HandlerDeclaration>, SubscribedEvents, string[]]>([
    ['all of its kind', {}, new Map(), ['livekit:*']],
    [
      'all that are heard',
      {},
      heard('room_finished', 'room_started'),
      ['livekit:room_finished', 'livekit:room_started'],
    ],
    ['all of a kind that nobody narrowed down', { kind: 'app' }, heard('room_finished'), ['app:*']],
    ['all whatever is heard, when it is ours', { unfiltered: true }, heard('room_finished'), ['livekit:*']],
  ])("of '*' is given %s", (_, changes, subscribed, patterns) => {
    expect(build([declared({ names: ['*'], ...changes })], subscribed)[0]?.patterns).toEqual(patterns);
  });

  test('hears what was reconciled when it says so', () => {
    const [handler] = build([declared({ options: { includeReconciled: true } })]);
    expect(handler?.patterns).toEqual(['livekit:room_started', 'reconciled:room_started']);
    expect(handler?.decode({ kind: 'reconciled' } as LoggedEvent)).toBe('decoded as livekit: reconciled');
  });

  test('may not name what the host shuts out', () => {
    expect(() => build([declared()], heard('room_finished'))).toThrow(HandlerDeclarationError);
    expect(() => build([declared()], heard('room_finished'))).toThrow(
      /^Class\.method: handles `room_started`, which the option `events`/,
    );
    expect(build([declared({ unfiltered: true })], heard('room_finished'))).toHaveLength(1);
  });

  test.each([
    ['batch', 0, 1, 1_000, 1_001],
    ['concurrency', 0, 1, 1_000, 1_001],
    ['maxAttempts', 0, 1, 1_000_000, 1_000_001],
    ['timeout', 0, 1, 2 ** 31 - 1, 2 ** 31],
    ['lease', 999, 1_000, 2 ** 31 - 1, 2 ** 31],
  ])('takes for `%s` a whole number within its limits', (option, below, least, most, above) => {
    for (const value of [least, most]) expect(withOptions({ [option]: value })).toBeDefined();
    for (const value of [below, above, least + 0.5, Number.NaN, '5', null]) {
      expect(() => withOptions({ [option]: value })).toThrow(`option \`${option}\` must be a whole number`);
    }
  });

  test.each(['', 'two words', "quote'd", 'a/b', 'ü', '*', 'n'.repeat(201)])('is not named %p', (name) => {
    expect(() => withOptions({ name })).toThrow("a handler's `name` is 1 to 200 letters");
  });

  test.each([
    ['concurrency', 1, 2],
    ['ordering', 'room', 'none'],
    ['transactional', true, false],
  ])('is refused when its decorators contradict each other in `%s`', (option, one, other) => {
    const both = [one, other].map((value) => declared({ options: { [option]: value } }));
    expect(() => build(both)).toThrow(`two of its decorators say different things of \`${option}\``);
  });

  test('is refused when a dead letter shall block a room that is in no order', () => {
    expect(() => withOptions({ onDeadLetter: 'block' })).toThrow(/means nothing without `ordering: 'room'`/);
  });
});
