import { systemClock } from '../../../src/event-log/clock.js';
import { Timetable } from '../../../src/event-log/timetable.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { newEvent } from '../../support/events.js';
import { handlerHosts } from '../../support/handlers.js';
import { sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

/** Sooner than whoever knows of nothing that is due would look again, milliseconds. */
const SOON = 20_000;

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

describe('a session whose grace is over', () => {
  const hosts = handlerHosts();

  test('settles at its time, though nobody asks and nothing else comes', async () => {
    const imports = [SessionsModule.forRoot({ settle: 1_000 })];
    const host = await hosts.boot([], { imports, clock: systemClock });
    for (const event of ['room_started', 'room_finished'])
      await host.log.receive(newEvent({ id: event, event, room: { sid: 'RM_1', name: 'call' } }));
    const stateOf = async () => (await host.app.get(SessionsService).list()).sessions[0]?.state;
    await until('it to settle', async () => (await stateOf()) === 'settled', SOON);
  });
});
