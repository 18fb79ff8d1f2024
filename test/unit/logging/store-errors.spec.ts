import { QueryFailedError } from 'typeorm';
import { toldOf } from '../../../src/logging/error-fields.js';

describe('what ails the store', () => {
  test('is told in the words of the driver, and not in those of a statement', () => {
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    const error = new QueryFailedError('SELECT marker', ['marker'], full);
    expect(toldOf(error)).toBe('database or disk is full');
  });

  test("is told in no words that may be somebody's", () => {
    const error = new QueryFailedError('SELECT 1', [], new Error('no such thing as a marker'));
    expect(toldOf(error)).toBe('QueryFailedError');
  });

  test('is told where no address of a host answers', () => {
    const refused = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    expect(toldOf(refused)).toBe('ECONNREFUSED');
  });

  test('is not known of what is no error', () => {
    expect(toldOf('marker')).toBe('unknown');
  });
});
