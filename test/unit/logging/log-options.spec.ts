import { logSettings } from '../../../src/logging/log-options.js';

const LEVELS = ['debug', 'log', 'warn', 'error'] as const;
const rooms = Array.from({ length: 10_000 }, (_, n) => `call-${n}`);

describe('which lines are made', () => {
  test.each([
    ['verbose', ['debug', 'log', 'warn', 'error']],
    ['debug', ['debug', 'log', 'warn', 'error']],
    [undefined, ['log', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['fatal', []],
  ] as const)('at the level %s', (level, written) => {
    const settings = logSettings(level === undefined ? {} : { level });
    expect(LEVELS.filter((each) => settings.writes(each))).toEqual(written);
  });

  test('is all of them, or none, unless a share is wanted', () => {
    expect(rooms.every((room) => logSettings().samples(room))).toBe(true);
    expect(rooms.some((room) => logSettings({ sample: 0 }).samples(room))).toBe(false);
  });

  test.each([0.01, 0.1, 0.5])('is about that share of the rooms: %d', (sample) => {
    const { samples } = logSettings({ sample });
    const share = rooms.filter((room) => samples(room)).length / rooms.length;
    expect(share).toBeGreaterThan(sample * 0.8);
    expect(share).toBeLessThan(sample * 1.2);
  });

  test('is the same for a room in every process, and those of a smaller share are among those of a greater', () => {
    const few = logSettings({ sample: 0.1 });
    const many = logSettings({ sample: 0.5 });
    const same = logSettings({ sample: 0.1 });
    for (const room of rooms) {
      expect(same.samples(room)).toBe(few.samples(room));
      if (few.samples(room)) expect(many.samples(room)).toBe(true);
    }
  });
});
