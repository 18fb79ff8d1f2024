import { parseDuration, parseSize, WrongValue } from '../../../src/config/units.js';

const problemOf = (read: () => unknown): Error => {
  try {
    read();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was accepted');
};

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([
    ['nothing', ''],
    ['no unit', '10'],
    ['a unit in words', '1 hour'],
    ['Infinity', 'Infinity'],
    ['an exponent', '1e3s'],
    ['a negative', '-1s'],
    ['a sign', '+1s'],
    ['a fraction', '1.5h'],
    ['space around', ' 10s'],
    ['a line end', '10s\n'],
    ['capitals', '10S'],
    ['an unknown unit', '10w'],
    ['the name of an inherited property', '1constructor'],
    ['two units', '1h30m'],
    ['more than a number holds', '99999999999999999999d'],
  ])('%s is refused, with an example of what is right', (_case, text) => {
    const problem = problemOf(() => parseDuration(text));
    expect(problem).toBeInstanceOf(WrongValue);
    expect(problem.message).toBe('must be a duration such as 500ms, 10s, 10m, 1h or 30d');
  });
});

describe('a size', () => {
  test.each([
    ['0', 0],
    ['1500', 1500],
    ['100b', 100],
    ['512kb', 524_288],
    ['1mb', 1_048_576],
    ['1MB', 1_048_576],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '-1', '-1mb', '1.5mb', '1 mb', '1e3', 'Infinity', 'mb', '10s', '99999999999999999999'])(
    '%p is refused, with an example of what is right',
    (text) => {
      const problem = problemOf(() => parseSize(text));
      expect(problem).toBeInstanceOf(WrongValue);
      expect(problem.message).toMatch(/such as 512kb or 1mb/);
    },
  );
});
