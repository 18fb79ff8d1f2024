import { OPENED, participant, room, send } from '../../support/one-room.js';
import { sessionHosts } from '../../support/session-host.js';

const HOUR = 3_600_000;

/** Two rooms that are opened in the same second, of whose times LiveKit tells only some to the millisecond. */
const opened = { early: OPENED + 500, late: OPENED + 900 };
const rooms = {
  early: { ...room('RM_early'), creationTimeMs: String(opened.early) },
  late: { ...room('RM_late'), creationTimeMs: String(opened.late) },
};

describe('sessions in the order of their start', () => {
  const hosts = sessionHosts();

  test('keep their place, whatever is told late of them: on two pages is nobody twice', async () => {
    const host = await hosts.boot();
    for (const name of ['early', 'late'] as const) {
      const joined = participant(`PA_${name}`, OPENED + 1_200);
      const later = { room: rooms[name], createdAt: String(OPENED / 1_000 + 1) };
      await send(host, 'participant_joined', { ...later, participant: joined });
      await send(host, 'participant_left', { ...later, participant: joined });
      await send(host, 'room_finished', later);
    }
    await send(host, 'room_started', { room: rooms.late, createdAt: String(OPENED / 1_000) });
    const first = await host.service.list({ limit: 1 });
    await host.pass(HOUR); // they settle
    const second = await host.service.list({ limit: 10, cursor: first.nextCursor as string });
    const told = [...first.sessions, ...second.sessions];
    expect(told.map(({ roomSid, state }) => [roomSid, state])).toEqual([
      ['RM_late', 'ended'],
      ['RM_early', 'settled'],
    ]);
  });

  test('are found by it to the millisecond', async () => {
    const host = await hosts.boot();
    for (const name of ['early', 'late'] as const) await send(host, 'room_started', { room: rooms[name] });
    const found = async (from: number, to: number): Promise<string[]> => {
      const { sessions } = await host.service.list({ from: new Date(from), to: new Date(to) });
      return sessions.map(({ roomSid }) => roomSid);
    };
    expect(await found(OPENED, opened.early)).toEqual([]);
    expect(await found(opened.early, opened.late)).toEqual(['RM_early']);
    expect(await found(opened.early, opened.late + 1)).toEqual(['RM_late', 'RM_early']);
  });
});
