import { sharedRead } from '../../../src/database/shared-read.js';

describe('a shared read', () => {
  test('is done once for all who ask meanwhile, and anew for who asks after it', async () => {
    const ends: ((figure: number) => void)[] = [];
    const read = sharedRead(() => new Promise<number>((resolve) => ends.push(resolve)));
    const first = [read(), read()];
    expect(ends).toHaveLength(1);
    ends[0]?.(1);
    expect(await Promise.all(first)).toEqual([1, 1]);
    const second = read();
    ends[1]?.(2);
    expect(await second).toBe(2);
  });

  test('that fails is told to all, and tried again', async () => {
    let isDown = true;
    const read = sharedRead(() => (isDown ? Promise.reject(new Error('down')) : Promise.resolve('up')));
    const [one, other] = await Promise.allSettled([read(), read()]);
    expect([one.status, other.status]).toEqual(['rejected', 'rejected']);
    isDown = false;
    expect(await read()).toBe('up');
  });

  test('that does not end is given up by who asks, and not begun twice', async () => {
    let begun = 0;
    const read = sharedRead(() => {
      begun += 1;
      return new Promise<never>(() => {});
    });
    await expect(read()).rejects.toThrow('the store has not answered within 2 s');
    await expect(read()).rejects.toThrow('the store has not answered within 2 s');
    expect(begun).toBe(1);
  });
});
