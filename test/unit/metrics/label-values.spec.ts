import { LabelValues, onlyOf } from '../../../src/metrics/label-values.js';

describe('the values of a label', () => {
  test('are as many as may be, and `other` for the rest', () => {
    const labels = new LabelValues(3, ['a']);
    expect(['b', 'c', 'd', 'a', 'b', 'e'].map((value) => labels.of(value))).toEqual([
      'b',
      'c',
      'other',
      'a',
      'b',
      'other',
    ]);
  });

  test('are the first of those that are known, where those are too many', () => {
    const labels = new LabelValues(2, ['a', 'b', 'c']);
    expect(['c', 'b', 'a'].map((value) => labels.of(value))).toEqual(['other', 'b', 'a']);
  });

  test('may be none but those that are known', () => {
    const labels = onlyOf(['a']);
    expect(['b', 'a'].map((value) => labels.of(value))).toEqual(['other', 'a']);
  });
});
