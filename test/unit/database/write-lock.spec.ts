import { setImmediate as nextTurn } from 'node:timers/promises';
import { WriteLock } from '../../../src/database/sqlite/write-lock.js';

describe('the write lock', () => {
  test('lets one write through at a time, in the order they came, appends first', async () => {
    const lock = new WriteLock(Infinity); // however slow the machine is
    const done: string[] = [];
    let running = 0;
    const write = (name: string) => async () => {
      running += 1;
      expect(running).toBe(1);
      await nextTurn();
      done.push(name);
      running -= 1;
    };
    await Promise.all([
      lock.run(write('first')),
      lock.run(write('other 1')),
      lock.run(write('other 2')),
      lock.run(write('append 1'), 'append'),
      lock.run(write('append 2'), 'append'),
    ]);
    expect(done).toEqual(['first', 'append 1', 'append 2', 'other 1', 'other 2']);
  });

  test('keeps others waiting while appends come one after the other, and not for ever', async () => {
    const lock = new WriteLock();
    const done: string[] = [];
    const appends = (async () => {
      while (!done.includes('other')) {
        await lock.run(async () => {
          await nextTurn();
          done.push('append');
        }, 'append');
      }
    })();
    await lock.run(async () => void done.push('other'));
    await appends;
    expect(done.indexOf('other')).toBeGreaterThan(1);
  });

  test('lets another write through between two appends that are apart', async () => {
    const lock = new WriteLock();
    const done: string[] = [];
    const first = lock.run(async () => void done.push('append 1'), 'append');
    const other = lock.run(async () => void done.push('other'));
    await first;
    await nextTurn();
    await Promise.all([lock.run(async () => void done.push('append 2'), 'append'), other]);
    expect(done).toEqual(['append 1', 'other', 'append 2']);
  });

  test('goes on after a write that failed', async () => {
    const lock = new WriteLock();
    await expect(lock.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await lock.run(() => Promise.resolve('next'))).toBe('next');
  });

  test('lets no newcomer slip in between two that wait', async () => {
    const lock = new WriteLock();
    const done: string[] = [];
    const waiting = [lock.run(async () => void done.push('a')), lock.run(async () => void done.push('b'))];
    await waiting[0];
    const newcomer = lock.run(async () => void done.push('newcomer'));
    await Promise.all([...waiting, newcomer]);
    expect(done).toEqual(['a', 'b', 'newcomer']);
  });
});
