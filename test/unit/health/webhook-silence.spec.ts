import { silenceTrouble, type WatchedProject } from '../../../src/health/webhook-silence.js';

const NOW = Date.parse('2026-11-23T09:00:00.000Z');
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const ago = (seconds: number): number => NOW - seconds * SECOND;

const watched = (changes: Partial<WatchedProject> = {}): WatchedProject => ({
  now: NOW,
  quietSince: NOW - HOUR,
  opened: [],
  isActive: (changes.opened?.length ?? 0) > 0,
  ...changes,
});

describe('the silence of webhooks, unless somebody says how long is too long,', () => {
  test.each<[string, Partial<WatchedProject>]>([
    ['while nobody is in a room', {}],
    ['during a long call that they told of', { opened: [NOW - HOUR - SECOND] }],
    ['of a room opened now, whose webhooks are on their way', { opened: [ago(60)] }],
    ['of a room opened as the last one came, by clocks that differ', { opened: [NOW - HOUR + 10 * SECOND] }],
    ['of a room whose opening LiveKit does not tell', { opened: [0] }],
    ['where LiveKit is not asked', { opened: undefined, isActive: true }],
  ])('is none %s', (_when, changes) => {
    expect(silenceTrouble(watched(changes), undefined)).toBeUndefined();
  });

  test('is one when LiveKit has opened rooms since', () => {
    const told = silenceTrouble(watched({ opened: [NOW - 2 * HOUR, ago(61), ago(90)] }), undefined);
    expect(told).toContain('opened 2 rooms in use since 2026-11-23T08:58:30.000Z: compare `webhook.urls`');
  });
});

test('the silence of webhooks is too long when somebody says so, and somebody is in a room', () => {
  const room = { opened: [NOW - 2 * HOUR] };
  expect(silenceTrouble(watched(room), HOUR)).toBeUndefined();
  expect(silenceTrouble(watched(room), HOUR - 1)).toContain('no webhook has come for 3600 s');
  expect(silenceTrouble(watched({ opened: undefined, isActive: true }), HOUR - 1)).toContain('3600 s');
  expect(silenceTrouble(watched(), HOUR - 1)).toBeUndefined();
});

test('the silence of webhooks is never too long when somebody says so', () => {
  expect(silenceTrouble(watched({ opened: [ago(1_000)] }), false)).toBeUndefined();
});
