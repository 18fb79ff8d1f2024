import { Timetable } from '../../../src/event-log/running/timetable.js';
import { sessionHosts } from '../../support/session-host.js';

describe('work that is due', () => {
  const hosts = sessionHosts();

  test('is done though other work fails, which is told', async () => {
    const host = await hosts.boot();
    const timetable = host.app.get(Timetable);
    const done: string[] = [];
    timetable.register({ nextAt: async () => null, run: () => Promise.reject(new Error('it is broken')) });
    timetable.register({ nextAt: async () => null, run: async () => done.push('done') - 1 });
    await expect(timetable.runDue()).rejects.toThrow('it is broken');
    expect(done).toEqual(['done']);
  });
});
