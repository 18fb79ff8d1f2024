import type { RoomFact } from '../../../src/sessions/facts/facts.js';
import { withoutIdentity } from '../../../src/sessions/facts/erase.js';
import { mergeConnection, mergeRoom } from '../../../src/sessions/facts/merge.js';
import { connectionFact, roomFact } from './facts.js';

const leave = (at: number, eventId: string, reason = 'CLIENT_INITIATED') => ({ at, eventId, reason });
const written = <T>(value: T, version: number, eventId = 'EV_1') => ({ value, version, eventId });

describe('two facts of a room', () => {
  it('make the earliest of the times it was made and seen', () => {
    const merged = mergeRoom(roomFact({ openedAt: 5, seenAt: 9 }), roomFact({ openedAt: 3, seenAt: 10 }));
    expect(merged).toMatchObject({ openedAt: 3, seenAt: 9 });
  });

  it('make every start and every end once, in order', () => {
    const finish = (at: number, endReason: string | null = null) => ({ at, endReason });
    const merged = mergeRoom(
      roomFact({ starts: [9, 20], finishes: [finish(30)] }),
      roomFact({ starts: [8, 9], finishes: [finish(15, 'ROOM_END_API_DELETE'), finish(30)] }),
    );
    expect(merged.starts).toEqual([8, 9, 20]);
    expect(merged.finishes).toEqual([finish(15, 'ROOM_END_API_DELETE'), finish(30)]);
  });

  it('make of two ends at one moment first the one that tells why', () => {
    const [untold, told] = [null, 'ROOM_END_API_DELETE'].map((endReason) =>
      roomFact({ finishes: [{ at: 30, endReason }] }),
    ) as [RoomFact, RoomFact];
    const both = [...told.finishes, ...untold.finishes];
    expect(mergeRoom(untold, told).finishes).toEqual(both);
    expect(mergeRoom(told, untold).finishes).toEqual(both);
  });

  it('make the full room object that is earliest by time, then event id', () => {
    const described = (at: number, eventId: string) => roomFact({ description: { at, eventId, room: {} } });
    expect(mergeRoom(described(2, 'EV_A'), described(1, 'EV_B')).description?.eventId).toBe('EV_B');
    expect(mergeRoom(described(1, 'EV_B'), described(1, 'EV_A')).description?.eventId).toBe('EV_A');
  });

  it('lose nothing to an event that says less', () => {
    const known = roomFact({ openedAt: 3, starts: [4], description: { at: 4, eventId: 'EV_1', room: {} } });
    expect(mergeRoom(known, roomFact({ roomName: null, seenAt: 7 }))).toEqual(known);
  });
});

describe('two facts of a connection', () => {
  it('make the earliest join', () => {
    expect(mergeConnection(connectionFact({ joinedAt: 7 }), connectionFact({ joinedAt: 5 })).joinedAt).toBe(
      5,
    );
  });

  it('make the leave that is earliest by time, then event id, with its own reason', () => {
    const first = connectionFact({ leave: leave(9, 'EV_A', 'DUPLICATE_IDENTITY') });
    const second = connectionFact({ leave: leave(9, 'EV_B') });
    expect(mergeConnection(second, first).leave).toEqual(leave(9, 'EV_A', 'DUPLICATE_IDENTITY'));
  });

  it('keep an aborted attempt apart from a leave', () => {
    const merged = mergeConnection(
      connectionFact({ connected: false, abort: leave(1, 'EV_A', 'SIGNAL_CLOSE') }),
      connectionFact({ leave: leave(9, 'EV_B') }),
    );
    expect(merged).toMatchObject({ connected: true, abort: { at: 1 }, leave: { at: 9 } });
  });

  it('make the name and attributes that were written last, by version, then event id', () => {
    const older = connectionFact({ name: written('Ann', 2), attributes: written({ tier: 'gold' }, 9) });
    const newer = connectionFact({ name: written('Anna', 3), attributes: written({ tier: 'iron' }, 8) });
    expect(mergeConnection(newer, older)).toMatchObject({
      name: { value: 'Anna' },
      attributes: { value: { tier: 'gold' } },
    });
    const tied = connectionFact({ name: written('Annie', 3, 'EV_2') });
    expect(mergeConnection(tied, newer).name?.value).toBe('Annie');
  });

  it('lose nothing to a track event, which says neither kind nor name', () => {
    const known = connectionFact({ kind: 'sip', joinedAt: 5, name: written('Ann', 2) });
    expect(mergeConnection(known, connectionFact({ kind: null }))).toEqual(known);
  });
});

describe('what was erased', () => {
  const PSEUDONYM = 'erased-0123456789ab';
  const room = { sid: 'RM_1', name: 'call', metadata: '{"for":"ann"}', departureTimeout: 2 };
  const description = { at: 4, eventId: 'EV_1', room };
  const attributes = written({ 'sip.ruleID': 'SDR_1', 'sip.phoneNumber': '+100', tier: 'gold' }, 1);

  it('stays so whatever is told of a room later, and its time-outs with it', () => {
    const merged = mergeRoom(roomFact({ roomName: PSEUDONYM }), roomFact({ description }));
    expect(merged).toMatchObject({ roomName: PSEUDONYM });
    expect(merged.description?.room).toEqual({ sid: 'RM_1', name: PSEUDONYM, departureTimeout: 2 });
  });

  it('stays so whatever is told of a connection later, and a call that came in with it', () => {
    const told = connectionFact({ joinedAt: 5, name: written('Ann', 2), attributes });
    const merged = mergeConnection(connectionFact({ identity: PSEUDONYM }), told);
    expect(merged).toMatchObject({ identity: PSEUDONYM, name: null, joinedAt: 5 });
    expect(merged.attributes?.value).toEqual({ 'sip.ruleID': 'SDR_1' });
  });

  it('takes with it what the host wrote on a room, where that tells of who is erased', () => {
    const facts = { room: roomFact({ description }), connections: [], egresses: [] };
    const { metadata: _, ...others } = room;
    expect(withoutIdentity(facts, 'ann', PSEUDONYM).room.description?.room).toEqual(others);
    expect(withoutIdentity(facts, 'bob', PSEUDONYM).room.description?.room).toEqual(room);
  });
});
