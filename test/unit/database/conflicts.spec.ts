import { despiteConflicts } from '../../../src/database/postgres/conflicts.js';

describe('a transaction', () => {
  const failing = (times: number, error: object) => {
    const run = { times: 0 };
    return {
      run,
      work: async () => {
        run.times += 1;
        if (run.times <= times) throw error;
        return 'done';
      },
    };
  };
  const withCode = (code: string) => Object.assign(new Error('given up'), { code });
  const deadlock = withCode('40P01');
  const serialisationFailure = withCode('40001');

  test.each([deadlock, serialisationFailure])(
    'is begun anew where it was given up for the sake of another: %o',
    async (error) => {
      expect(await despiteConflicts(failing(4, error).work)).toBe('done');
    },
  );

  test('is not begun anew for ever', async () => {
    const { run, work } = failing(100, deadlock);
    await expect(despiteConflicts(work)).rejects.toBe(deadlock);
    expect(run.times).toBe(5);
  });

  test('is not begun anew for another reason', async () => {
    const { run, work } = failing(1, new Error('out of disk'));
    await expect(despiteConflicts(work)).rejects.toThrow('out of disk');
    expect(run.times).toBe(1);
  });
});
