import { QueryFailedError } from 'typeorm';
import { storeTrouble } from '../../../src/database/store-trouble.js';

describe('what ails the store', () => {
  test('is told in the words of the driver, and not in those of a statement', () => {
    const error = new QueryFailedError('SELECT marker', ['marker'], new Error('the disk is full'));
    expect(storeTrouble(error)).toBe('the disk is full');
  });

  test('is told where no address of a host answers', () => {
    const refused = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    expect(storeTrouble(refused)).toBe('ECONNREFUSED');
  });

  test('is not known of what is no error', () => {
    expect(storeTrouble('marker')).toBe('unknown');
  });
});
