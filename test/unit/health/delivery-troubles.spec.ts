import type { BacklogSummary, HandlerBacklog } from '../../../src/event-log/deliveries/backlog.js';
import { deliveryFigures, deliveryTroubles } from '../../../src/health/delivery-troubles.js';
import { LivekitHealthOptionsError } from '../../../src/health/errors.js';
import { type LivekitHealthModuleOptions, resolveSettings } from '../../../src/health/health.options.js';

const handler = (name: string, figures: Partial<HandlerBacklog> = {}): HandlerBacklog => ({
  handler: name,
  pending: 0,
  dead: 0,
  overdue: 0,
  ...figures,
});

const troublesOf = (summary: Partial<BacklogSummary>, options: LivekitHealthModuleOptions = {}) =>
  deliveryTroubles({ handlers: [], unrouted: 0, ...summary }, resolveSettings(options));

test('the figures are those of whoever is the furthest behind', () => {
  const handlers = [
    handler('a', { dead: 2 }),
    handler('b', { overdue: 2_500 }),
    handler('c', { overdue: 1_000, dead: 1 }),
  ];
  expect(deliveryFigures({ handlers, unrouted: 40 })).toEqual({
    lagSeconds: 2.5,
    slowest: 'b',
    routingLagSeconds: 0.04,
    deadLetters: 3,
  });
  expect(deliveryFigures({ handlers: [handler('a')], unrouted: 0 })).toMatchObject({
    lagSeconds: 0,
    slowest: null,
  });
});

test('what is allowed is no trouble, and what is more is', () => {
  expect(troublesOf({ unrouted: 60_000, handlers: [handler('a', { overdue: 300_000 })] })).toEqual([]);
  expect(troublesOf({ unrouted: 60_001 })).toEqual([
    expect.stringMatching(/for 60.001 s to be handed to its handlers \(60 s are allowed\).*worker/),
  ]);
  expect(troublesOf({ handlers: [handler('a', { overdue: 300_001 })] })).toEqual([
    expect.stringMatching(/`a` have been due for up to 300.001 s \(300 s are allowed\)/),
  ]);
  expect(troublesOf({ handlers: [handler('a', { dead: 1 })] })).toEqual([
    expect.stringMatching(/there is 1 dead letter of `a` \(0 are allowed\)/),
  ]);
  const dead = [handler('a', { dead: 3 }), handler('b', { dead: 3 })];
  expect(troublesOf({ handlers: dead }, { deadLetters: 6 })).toEqual([]);
  expect(troublesOf({ handlers: dead }, { deadLetters: 5 })).toHaveLength(1);
});

test('nothing is a trouble to whoever wants to hear of none', () => {
  const summary = { unrouted: 1e9, handlers: [handler('a', { overdue: 1e9, dead: 10_000 })] };
  expect(troublesOf(summary)).toHaveLength(3);
  expect(troublesOf(summary, { deliveryLag: false, routingLag: false, deadLetters: false })).toEqual([]);
});

test('the worst of many handlers are named', () => {
  const handlers = Array.from({ length: 7 }, (_, n) => handler(`h${n}`, { overdue: 1e6 + n }));
  expect(troublesOf({ handlers })[0]).toContain('to `h6`, `h5`, `h4`, `h3`, `h2` and 2 more have');
  const dead = [handler('a', { dead: 1 }), handler('b'), handler('c', { dead: 3 })];
  expect(troublesOf({ handlers: dead })[0]).toContain('4 dead letters of `c`, `a` (0');
});

test.each<[LivekitHealthModuleOptions, RegExp]>([
  [{ deliveryLag: -1 }, /`deliveryLag` must be a whole number of at least 0, or `false`/],
  [{ routingLag: Number.NaN }, /`routingLag`/],
  [{ deadLetters: 10_000 }, /`deadLetters` must be a whole number from 0 to 9999/],
  [{ webhookSilence: 1.5 }, /`webhookSilence`/],
  [{ deadLetter: 1 } as object, /`deadLetter` is none: there are `deliveryLag`, .*`webhookSilence`$/],
])('%j is refused', (options, problem) => {
  const refused = () => resolveSettings(options);
  expect(refused).toThrow(LivekitHealthOptionsError);
  expect(refused).toThrow(problem);
});
