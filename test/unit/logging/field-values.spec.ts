import { fieldValue, WITHHELD } from '../../../src/logging/field-values.js';

describe('the value of a field', () => {
  test.each([
    ['word', 'participant_joined', 'participant_joined'],
    ['word', 'two words', WITHHELD],
    ['word', { key: 'secret' }, WITHHELD],
    ['number', 4711, 4711],
    ['number', '+15105550142', WITHHELD],
    ['number', Number.NaN, WITHHELD],
    ['name', 'order 4711', 'order 4711'],
    ['name', ['a secret'], WITHHELD],
    ['text', Buffer.from('a secret'), WITHHELD],
    ['text', null, undefined],
  ] as const)('that may hold a %s: %j', (kind, value, told) => {
    expect(fieldValue(kind, value)).toBe(told);
  });

  test.each([
    ['call-_+15105550142_Xy12', 'call-_+…_Xy12'],
    ['a+b', 'a+b'],
    ['order-20261123', 'order-20261123'],
  ])('of a room that is named %s', (name, told) => {
    expect(fieldValue('name', name)).toBe(told);
  });

  test('is cut off', () => {
    expect(fieldValue('name', 'x'.repeat(1_000))).toHaveLength(200);
    expect(fieldValue('text', 'x'.repeat(10_000))).toHaveLength(2_000);
  });
});
