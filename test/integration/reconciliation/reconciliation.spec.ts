import { Injectable } from '@nestjs/common';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import type { LivekitEvent, ReconciledLivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { METRICS_REGISTRY } from '../../../src/metrics/metrics.registry.js';
import { Reconciler } from '../../../src/sessions/reconciliation/reconciler.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { deliveries } from '../../support/captures.js';
import { LivekitStandIn, NO_EGRESS, type Told } from '../../support/livekit-stand-in.js';
import { type HostParts, type ReconciledHost, reconciledHosts } from '../../support/reconciled.js';
import { bootReceiver } from '../../support/receiver.js';
import { until } from '../../support/until.js';

/** When each test begins: a whole second. */
const BEGIN = Date.parse('2026-11-23T09:00:00.000Z');
const SECOND = 1_000;

const iso = (seconds: number): string => new Date(BEGIN + seconds * SECOND).toISOString();

const room = (name: string): Told => ({
  sid: `RM_${name}`,
  name,
  emptyTimeout: 300,
  departureTimeout: 20,
  creationTime: String(BEGIN / SECOND),
  creationTimeMs: String(BEGIN),
  turnPassword: 'a-turn-password',
});

const participant = (identity: string, joinedAt: number, more: Told = {}): Told => ({
  sid: `PA_${identity}`,
  identity,
  name: identity.toUpperCase(),
  state: 'ACTIVE',
  joinedAt: String((BEGIN + joinedAt * SECOND) / SECOND),
  joinedAtMs: String(BEGIN + joinedAt * SECOND + 7),
  ...more,
});

describe('reconciliation', () => {
  const hosts = reconciledHosts();
  let standIn: LivekitStandIn;
  let host: ReconciledHost;

  beforeEach(() => {
    ({ standIn } = hosts);
  });

  const boot = async (parts: HostParts = {}): Promise<void> => {
    host = await hosts.boot(parts);
  };

  const at = (seconds: number): void => host.clock.set(BEGIN + seconds * SECOND);

  /** A webhook as LiveKit would have sent it `seconds` after the beginning. */
  const webhook = async (event: string, seconds: number, fields: Told): Promise<void> => {
    at(seconds);
    await host.tester.deliver(
      JSON.stringify({
        event,
        id: `EV_${event}_${seconds}_${JSON.stringify(fields).length}`,
        createdAt: String((BEGIN + seconds * SECOND) / SECOND),
        ...fields,
      }),
    );
    await host.tester.drain();
  };

  /** Rounds at some times; gives the names of what was added. */
  const rounds = async (...times: number[]): Promise<string[]> => {
    const added: string[] = [];
    for (const time of times) {
      at(time);
      added.push(...(await host.round()).map(({ name, id }) => `${name} ${id}`));
    }
    return added;
  };

  const startCall = async (): Promise<void> => {
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [participant('agent', 1, { kind: 'AGENT' }), participant('caller', 2)]);
    await webhook('room_started', 0, { room: room('call') });
    await webhook('participant_joined', 1, {
      room: room('call'),
      participant: participant('agent', 1, { kind: 'AGENT' }),
    });
    await webhook('participant_joined', 2, { room: room('call'), participant: participant('caller', 2) });
  };

  test('adds nothing where nothing is missing', async () => {
    await boot();
    await startCall();
    expect(await rounds(20, 35, 50)).toEqual([]);
    expect(await host.session('call')).toMatchObject({ activeParticipants: 2, inferred: [] });
  });

  test('adds a join that was missed, as exact as a webhook would have told it', async () => {
    await boot();
    await webhook('room_started', 0, { room: room('call') });
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [
      participant('caller', 2),
      participant('ringing', 2, { state: 'JOINED' }),
    ]);
    expect(await rounds(20, 35)).toEqual(['participant_joined reconciled:PA_caller:joined']);
    expect(await host.session('call')).toMatchObject({
      activeParticipants: 1,
      firstJoinedAt: '2026-11-23T09:00:02.007Z',
      inferred: [],
      participants: [{ identity: 'caller', name: 'CALLER' }],
    });
  });

  test('adds a join of which only a track was told: who it was, and of what kind', async () => {
    await boot();
    await webhook('room_started', 0, { room: room('call') });
    await webhook('track_published', 3, {
      room: { sid: 'RM_call', name: 'call' },
      participant: { sid: 'PA_phone', identity: 'phone' },
      track: { sid: 'TR_1', type: 'AUDIO' },
    });
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [
      participant('phone', 2, { kind: 'SIP', attributes: { 'sip.callID': 'SCL_1' } }),
    ]);
    expect(await rounds(20, 35)).toEqual(['participant_joined reconciled:PA_phone:joined']);
    expect(await host.session('call')).toMatchObject({
      inferred: [],
      participants: [{ identity: 'phone', kind: 'sip', sip: { callId: 'SCL_1' } }],
    });
  });

  test('adds nobody to a room who may have joined the next one of its name, made since rooms were listed', async () => {
    await boot();
    await startCall();
    standIn.meanwhile.set('ListRooms', () => {
      at(58);
      standIn.participants.set('call', [participant('next', 52)]);
    });
    expect(await rounds(50)).toEqual([]);
  });

  test('leaves to the webhooks what has just happened', async () => {
    await boot();
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [participant('caller', 2)]);
    expect(await rounds(4)).toEqual([]);
    await webhook('room_started', 0, { room: room('call') });
    await webhook('participant_joined', 2, { room: room('call'), participant: participant('caller', 2) });
    standIn.participants.set('call', []);
    expect(await rounds(5, 8)).toEqual([]);
  });

  test('leaves alone a room that the log has more of than its session, and no other', async () => {
    await boot();
    await startCall();
    standIn.rooms.set('other', room('other'));
    await webhook('room_started', 3, { room: room('other') });
    standIn.participants.set('call', [participant('agent', 1, { kind: 'AGENT' })]);
    expect(await rounds(20)).toEqual([]);
    at(30);
    await host.app.get(Deliveries).pause('sessions');
    await host.tester.deliver(
      JSON.stringify({
        event: 'participant_left',
        id: 'EV_left',
        createdAt: String(BEGIN / SECOND + 19),
        room: room('call'),
        participant: participant('caller', 2, {
          state: 'DISCONNECTED',
          disconnectReason: 'CLIENT_INITIATED',
        }),
      }),
    );
    await host.app.get(Reconciler).reconcileNow();
    expect(await host.countReconciled()).toBe(0);
    standIn.participants.set('other', [participant('late', 4)]);
    expect(await host.round()).toMatchObject([{ id: 'reconciled:PA_late:joined' }]);
    await host.app.get(Deliveries).resume('sessions');
    expect((await host.session('call'))?.inferred).toEqual([]);
  });

  test('waits for no handler of the host that has yet to be given what the log has', async () => {
    @Injectable()
    class Archive {
      @OnLivekitEvent('participant_joined', { name: 'archive' })
      keep() {}
    }
    await boot({ providers: [Archive] });
    await host.app.get(Deliveries).pause('archive');
    await startCall();
    standIn.participants.set('call', []);
    expect(await rounds(30, 45)).toEqual([
      'participant_left reconciled:PA_agent:left',
      'participant_left reconciled:PA_caller:left',
    ]);
  });

  test('adds a leave that was missed when two rounds agree, and the real one beats it', async () => {
    await boot();
    await startCall();
    standIn.participants.set('call', [participant('agent', 1, { kind: 'AGENT' })]);
    expect(await rounds(30)).toEqual([]);
    expect(await rounds(45)).toEqual(['participant_left reconciled:PA_caller:left']);
    expect(await rounds(60, 75)).toEqual([]);
    const inferred = await host.session('call');
    expect(inferred?.inferred).toContain('leftAt');
    expect(callerIn(inferred)).toEqual([
      expect.objectContaining({ leftAt: iso(30), reason: null, inferred: ['leftAt'] }),
    ]);
    await webhook('participant_left', 22, {
      room: room('call'),
      participant: participant('caller', 2, { state: 'DISCONNECTED', disconnectReason: 'CLIENT_INITIATED' }),
    });
    const real = await host.session('call');
    expect(real?.inferred).toEqual([]);
    expect(callerIn(real)).toEqual([
      expect.objectContaining({ leftAt: iso(22), reason: 'CLIENT_INITIATED', inferred: [] }),
    ]);
  });

  test.each([
    { what: 'was there again', others: [], added: [] },
    {
      what: 'came back beside another',
      others: [participant('late', 35)],
      added: ['participant_joined reconciled:PA_late:joined'],
    },
  ])('adds no leave of one who was missed, $what, and was missed once more', async ({ others, added }) => {
    await boot();
    await startCall();
    const [agent, caller] = standIn.participants.get('call') as [Told, Told];
    standIn.participants.set('call', [agent]);
    expect(await rounds(30)).toEqual([]);
    standIn.participants.set('call', [agent, caller, ...others]);
    expect(await rounds(45)).toEqual(added);
    standIn.participants.set('call', [agent, ...others]);
    expect(await rounds(60)).toEqual([]);
    expect(await rounds(75)).toEqual(['participant_left reconciled:PA_caller:left']);
    expect(callerIn(await host.session('call'))).toEqual([expect.objectContaining({ leftAt: iso(60) })]);
  });

  test('adds no leave of one who was missed, was there again with news on their way, and was missed once more', async () => {
    await boot();
    await startCall();
    const [agent, caller] = standIn.participants.get('call') as [Told, Told];
    standIn.participants.set('call', [agent]);
    expect(await rounds(30)).toEqual([]);
    const late = participant('late', 35);
    standIn.participants.set('call', [agent, caller, late]);
    await host.app.get(Deliveries).pause('sessions');
    at(45);
    await host.tester.deliver(
      JSON.stringify({
        event: 'participant_joined',
        id: 'EV_late',
        createdAt: String(BEGIN / SECOND + 35),
        room: room('call'),
        participant: late,
      }),
    );
    await host.app.get(Reconciler).reconcileNow();
    await host.app.get(Deliveries).resume('sessions');
    await host.tester.drain();
    standIn.participants.set('call', [agent, late]);
    expect(await rounds(60)).toEqual([]);
    expect(await rounds(75)).toEqual(['participant_left reconciled:PA_caller:left']);
    expect(callerIn(await host.session('call'))).toEqual([expect.objectContaining({ leftAt: iso(60) })]);
  });

  test('adds a leave though LiveKit said nothing of its room between the two rounds that agree', async () => {
    await boot();
    await startCall();
    standIn.participants.set('call', [participant('agent', 1, { kind: 'AGENT' })]);
    await rounds(30);
    standIn.troubles.set('ListParticipants', { status: 500, code: 'internal', msg: 'out of order' });
    expect(await rounds(45)).toEqual([]);
    standIn.troubles.clear();
    expect(await rounds(60)).toEqual(['participant_left reconciled:PA_caller:left']);
    expect(callerIn(await host.session('call'))).toEqual([expect.objectContaining({ leftAt: iso(30) })]);
  });

  test('takes back a leave when LiveKit lists who was gone, finds the next one, and takes that back, too', async () => {
    await boot();
    await startCall();
    const all = standIn.participants.get('call') ?? [];
    standIn.participants.set('call', all.slice(0, 1));
    await rounds(30, 45);
    standIn.participants.set('call', all);
    expect(await rounds(60)).toEqual(['participant_joined reconciled:PA_caller:joined']);
    expect(callerIn(await host.session('call'))).toEqual([
      expect.objectContaining({ leftAt: null, inferred: [] }),
    ]);
    standIn.participants.set('call', all.slice(0, 1));
    expect(await rounds(75, 90)).toEqual([
      expect.stringMatching(/^participant_left reconciled:PA_caller:left-\d+$/),
    ]);
    expect(callerIn(await host.session('call'))).toEqual([expect.objectContaining({ leftAt: iso(75) })]);
    standIn.participants.set('call', all);
    expect(await rounds(105)).toEqual([
      expect.stringMatching(/^participant_joined reconciled:PA_caller:joined-\d+$/),
    ]);
    expect(callerIn(await host.session('call'))).toEqual([
      expect.objectContaining({ leftAt: null, inferred: [] }),
    ]);
  });

  test('ends a room that is gone when two rounds agree, and its real end beats that', async () => {
    await boot();
    await startCall();
    standIn.rooms.clear();
    expect(await rounds(30)).toEqual([]);
    expect((await host.session('call'))?.state).toBe('active');
    expect(await rounds(45)).toEqual(['room_finished reconciled:RM_call:finished']);
    expect(await host.session('call')).toMatchObject({
      state: 'ended',
      endedAt: iso(30),
      inferred: expect.arrayContaining(['endedAt', 'leftAt']),
    });
    for (const { identity, joinedAt } of [
      { identity: 'agent', joinedAt: 1 },
      { identity: 'caller', joinedAt: 2 },
    ]) {
      await webhook('participant_left', 24, {
        room: room('call'),
        participant: participant(identity, joinedAt, { disconnectReason: 'ROOM_DELETED' }),
      });
    }
    await webhook('room_finished', 25, { room: room('call') });
    expect(await host.session('call')).toMatchObject({ endedAt: iso(25), inferred: [] });
  });

  test('ends no room that was missed, was listed though LiveKit did not say who is there, and was missed once more', async () => {
    await boot();
    await startCall();
    standIn.rooms.clear();
    expect(await rounds(30)).toEqual([]);
    standIn.rooms.set('call', room('call'));
    standIn.troubles.set('ListParticipants', { status: 500, code: 'internal', msg: 'out of order' });
    expect(await rounds(45)).toEqual([]);
    standIn.rooms.clear();
    expect(await rounds(60)).toEqual([]);
    expect(await rounds(75)).toEqual(['room_finished reconciled:RM_call:finished']);
    expect(await host.session('call')).toMatchObject({ state: 'ended', endedAt: iso(60) });
  });

  test('opens a room again that LiveKit lists, though it was taken for gone', async () => {
    await boot();
    await startCall();
    standIn.rooms.clear();
    await rounds(30, 45);
    standIn.rooms.set('call', room('call'));
    expect(await rounds(60)).toEqual([]); // LiveKit may list a room for a while that has ended
    expect(await rounds(100)).toEqual(['room_started reconciled:RM_call:started']);
    expect(await host.session('call')).toMatchObject({ state: 'active', endedAt: null, inferred: [] });
    expect(await rounds(115, 130)).toEqual([]);
  });

  test('learns of a room that it never heard of, and who is there', async () => {
    await boot();
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [participant('caller', 2)]);
    expect(await rounds(20)).toEqual([
      'room_started reconciled:RM_call:started',
      'participant_joined reconciled:PA_caller:joined',
    ]);
    expect(await host.session('call')).toMatchObject({
      sessionId: 'call',
      state: 'active',
      startedAt: iso(0),
      firstJoinedAt: '2026-11-23T09:00:02.007Z',
      inferred: [],
    });
    expect(await rounds(35)).toEqual([]);
  });

  test('names a session of which only tracks were told', async () => {
    await boot();
    standIn.rooms.set('call', room('call'));
    standIn.participants.set('call', [participant('caller', 2)]);
    await webhook('track_published', 3, {
      room: { sid: 'RM_call', name: 'call' },
      participant: { sid: 'PA_caller', identity: 'caller' },
      track: { sid: 'TR_1' },
    });
    expect(await rounds(20)).toEqual([
      'room_started reconciled:RM_call:started',
      'participant_joined reconciled:PA_caller:joined',
    ]);
    expect(await host.session('call')).toMatchObject({
      startedAt: iso(0),
      participants: [{ kind: 'standard' }],
      inferred: [],
    });
  });

  test('a room that is over is not begun again by those who were in it', async () => {
    await boot();
    await startCall();
    await webhook('room_finished', 30, { room: room('call') });
    expect(await rounds(40, 100, 115)).toEqual([]);
    expect((await host.session('call'))?.state).toBe('settled');
    standIn.participants.set('call', [participant('again', 110)]); // LiveKit does use a sid again
    expect(await rounds(130)).toEqual(['participant_joined reconciled:PA_again:joined']);
    expect(await host.session('call')).toMatchObject({ segment: 1, state: 'active' });
  });

  test('a server that crashed: the room it left behind ends when the next one of its name begins', async () => {
    await boot();
    const recorded = deliveries('livekit-crashed');
    const opened = JSON.parse(recorded[3]?.body ?? '').room as Told;
    for (const { body, receivedAt } of recorded.slice(0, 7)) {
      host.clock.set(receivedAt);
      await host.tester.deliver(body);
      await host.tester.drain();
    }
    const { participant: caller } = JSON.parse(recorded[4]?.body ?? '') as { participant: Told };
    const { participant: other } = JSON.parse(recorded[6]?.body ?? '') as { participant: Told };
    standIn.rooms.set('call-1015', opened);
    standIn.participants.set('call-1015', [caller, other]);
    host.clock.set('2026-11-23T08:52:45.000Z');
    expect(await host.round()).toEqual([]);
    host.clock.advance(15 * SECOND);
    expect(await host.round()).toEqual([
      { name: 'room_finished', id: 'reconciled:RM_JrRvAdHNUH3v:finished', roomSid: 'RM_JrRvAdHNUH3v' },
    ]);
    const sessions = await host.app.get(SessionsService).find('call-1015');
    expect(sessions.map(({ roomSid, state, endedAt }) => [roomSid, state, endedAt])).toEqual([
      ['RM_RDnPDtbLabSx', 'active', null],
      ['RM_JrRvAdHNUH3v', 'ended', new Date(Number(opened['creationTimeMs'])).toISOString()],
    ]);
  });

  test('a poll that fails closes nothing', async () => {
    await boot();
    await startCall();
    standIn.rooms.clear();
    await rounds(30);
    standIn.troubles.set('ListRooms', { status: 503, code: 'unavailable', msg: 'no healthy upstream' });
    await expect(rounds(45)).rejects.toThrow('503 unavailable');
    expect((await host.session('call'))?.state).toBe('active');
    expect(host.rounds.at(-1)).toMatchObject({ outcome: 'failed', added: [] });
    standIn.troubles.clear();
    standIn.rooms.set('call', room('call'));
    standIn.troubles.set('ListParticipants', { status: 500, code: 'internal', msg: 'out of order' });
    standIn.participants.clear();
    await rounds(60, 75);
    expect(host.rounds.at(-1)).toMatchObject({ outcome: 'incomplete', added: [] });
    expect(await host.session('call')).toMatchObject({ state: 'active', activeParticipants: 2 });
  });

  test('a LiveKit that fails is not asked about every room, and about all of them when it is well again', async () => {
    await boot();
    for (let n = 0; n < 50; n += 1) {
      standIn.rooms.set(`call-${n}`, room(`call-${n}`));
      standIn.participants.set(`call-${n}`, [{ ...participant('caller', 2), sid: `PA_${n}` }]);
    }
    standIn.troubles.set('ListParticipants', { status: 500, code: 'internal', msg: 'out of order' });
    await rounds(20);
    expect(standIn.count('ListParticipants')).toBeLessThan(10);
    expect(host.rounds.at(-1)).toMatchObject({ outcome: 'incomplete' });
    standIn.troubles.clear();
    const added = await rounds(35);
    expect(added.filter((what) => what.startsWith('participant_joined'))).toHaveLength(50);
  });

  test('rooms that are gone when LiveKit is asked who is there are no failure, and keep no other from its turn', async () => {
    await boot();
    for (let n = 0; n < 150; n += 1) standIn.rooms.set(`call-${n}`, room(`call-${n}`));
    standIn.troubles.set('ListParticipants', { status: 404, code: 'not_found', msg: 'no such room' });
    await rounds(2, 3); // too soon to add anything
    expect(host.rounds.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
    const asked = standIn.calls.filter(({ method }) => method === 'ListParticipants');
    expect(new Set(asked.map(({ body }) => body['room'])).size).toBe(150);
  });

  test('tells recordings that it never heard of, all of a room, and nothing of those that are of none', async () => {
    await boot();
    await startCall();
    const updatedAt = `${BEGIN + 5 * SECOND}000000`;
    for (const [egressId, roomId] of [
      ['EG_1', 'RM_call'],
      ['EG_2', 'RM_call'],
      ['EG_web', ''],
    ] as const) {
      standIn.egresses.set(egressId, { egressId, roomId, status: 'EGRESS_ACTIVE', updatedAt });
    }
    expect(await rounds(20, 35)).toEqual([
      'egress_updated reconciled:EG_1:active',
      'egress_updated reconciled:EG_2:active',
    ]);
  });

  test('tells the end of a recording that was missed', async () => {
    await boot();
    await startCall();
    const egress = { egressId: 'EG_1', roomId: 'RM_call', roomName: 'call' };
    const startedAt = `${BEGIN + 5 * SECOND}000000`;
    await webhook('egress_started', 5, {
      room: { sid: 'RM_call', name: 'call' },
      egressInfo: { ...egress, status: 'EGRESS_STARTING', startedAt, updatedAt: startedAt },
    });
    // An older server does not say which room it is of.
    const active = { ...egress, roomId: '', status: 'EGRESS_ACTIVE', startedAt, updatedAt: startedAt };
    standIn.egresses.set('EG_1', active);
    expect(await rounds(20)).toEqual(['egress_updated reconciled:EG_1:active']);
    expect(await rounds(35)).toEqual([]);
    const endedAt = `${BEGIN + 30 * SECOND}000000`;
    standIn.egresses.set('EG_1', {
      ...egress,
      status: 'EGRESS_COMPLETE',
      startedAt,
      updatedAt: endedAt,
      endedAt,
      fileResults: [{ filename: 'call.mp4', duration: '25000000000', size: '1000' }],
    });
    expect(await rounds(50)).toEqual(['egress_ended reconciled:EG_1:ended']);
    expect((await host.session('call'))?.recordings).toEqual([
      expect.objectContaining({
        egressId: 'EG_1',
        status: 'complete',
        endedAt: iso(30),
        files: [expect.objectContaining({ filename: 'call.mp4', durationSeconds: 25 })],
      }),
    ]);
  });

  test('invents no end of a recording that LiveKit does not know any more', async () => {
    await boot();
    await startCall();
    await webhook('egress_started', 5, {
      egressInfo: { egressId: 'EG_1', roomId: 'RM_call', roomName: 'call', status: 'EGRESS_ACTIVE' },
    });
    expect(await rounds(20, 35, 50, 65)).toEqual([]);
    expect(host.rounds.flatMap(({ lostEgresses }) => lostEgresses)).toEqual(['EG_1']);
    const byId = standIn.calls.filter(({ body }) => body['egressId'] === 'EG_1');
    expect(byId).toHaveLength(2);
    expect((await host.session('call'))?.recordings).toEqual([expect.objectContaining({ status: 'active' })]);
  });

  test('tells an egress that LiveKit does not know any more although the round in which it was found so failed', async () => {
    await boot();
    await startCall();
    await webhook('egress_started', 5, {
      egressInfo: { egressId: 'EG_1', roomId: 'RM_call', roomName: 'call', status: 'EGRESS_ACTIVE' },
    });
    await rounds(20);
    const answersLate = {
      toJSON() {
        host.clock.advance(90 * SECOND);
        return participant('late', 2);
      },
    };
    standIn.participants.set('call', [answersLate]);
    await expect(rounds(35)).rejects.toThrow('held up');
    standIn.participants.set('call', []);
    await rounds(140, 155);
    expect(host.rounds.map(({ lostEgresses }) => lostEgresses)).toEqual([[], [], [], ['EG_1'], []]);
  });

  test('does without egresses where LiveKit has none, and says so once', async () => {
    await boot();
    standIn.troubles.set('ListEgress', NO_EGRESS);
    await startCall();
    await rounds(20, 25, 30, 35, 40);
    expect(standIn.count('ListEgress')).toBe(2); // and again after a quarter of a minute
    expect(host.rounds.at(-1)?.outcome).toBe('done');
    expect(host.logger.of('Reconciliation')).toMatchObject([
      { message: 'LiveKit tells nothing of egresses', errorMessage: '500 internal' },
    ]);
  });

  test('asks nobody about egresses and participants while there is nothing', async () => {
    await boot();
    await rounds(20, 35);
    expect(standIn.calls.every(({ method }) => method === 'ListRooms')).toBe(true);
  });

  test('five hundred rooms cost a bounded number of calls a round, and each has its turn', async () => {
    await boot();
    for (let n = 0; n < 500; n += 1) {
      standIn.rooms.set(`call-${n}`, room(`call-${n}`));
      standIn.participants.set(`call-${n}`, [{ ...participant('caller', 2), sid: `PA_${n}` }]);
    }
    standIn.calls.length = 0;
    for (let round = 1; round <= 5; round += 1) {
      await rounds(20 + round);
      expect(standIn.count('ListRooms')).toBe(round);
      expect(standIn.count('ListParticipants')).toBe(100 * round);
      expect(standIn.count('ListEgress')).toBe(round);
    }
    const asked = standIn.calls.filter(({ method }) => method === 'ListParticipants');
    expect(new Set(asked.map(({ body }) => body['room'])).size).toBe(500);
    expect(await host.countReconciled()).toBe(1_000);
    expect(await rounds(40)).toEqual([]);
  });

  test('tells handlers that say so, and no others, and never the TURN password', async () => {
    const heard: (LivekitEvent<'room_started'> | ReconciledLivekitEvent<'room_started'>)[] = [];
    const unheard: unknown[] = [];
    @Injectable()
    class Handlers {
      @OnLivekitEvent('room_started', { name: 'all', includeReconciled: true })
      all(event: LivekitEvent<'room_started'> | ReconciledLivekitEvent<'room_started'>) {
        heard.push(event);
      }

      @OnLivekitEvent('room_started', { name: 'sent' })
      sent(event: LivekitEvent<'room_started'>) {
        unheard.push(event);
      }
    }
    await boot({ providers: [Handlers] });
    standIn.rooms.set('call', room('call'));
    await rounds(20);
    expect(unheard).toEqual([]);
    expect(heard).toEqual([expect.objectContaining({ event: 'room_started', reconciled: true })]);
    expect(heard[0]).not.toHaveProperty('raw');
    expect(heard[0]?.room).toMatchObject({ sid: 'RM_call', name: 'call', turnPassword: '' });
  });

  test('counts rounds and repairs', async () => {
    await boot({ imports: [MetricsModule.forRoot()] });
    standIn.rooms.set('call', room('call'));
    await rounds(20);
    const text = await (host.app.get(METRICS_REGISTRY) as { metrics(): Promise<string> }).metrics();
    expect(text).toContain('livekit_reconciliation_rounds_total{project="default",outcome="done"} 2');
    expect(text).toContain('livekit_reconciliation_repairs_total{project="default",fact="room_started"} 1');
  });

  test('stops in the middle of a call, and adds nothing any more', async () => {
    await boot();
    standIn.rooms.set('call', room('call'));
    standIn.troubles.set('ListParticipants', 'hang');
    at(20);
    const round = host.app.get(Reconciler).reconcileNow();
    round.catch(() => undefined);
    await until('the call', () => standIn.count('ListParticipants') > 0);
    const begun = Date.now();
    await host.app.close();
    expect(Date.now() - begun).toBeLessThan(4_000); // the call itself has five seconds
    await expect(round).rejects.toThrow('the application is stopping');
    const again = await bootReceiver(hosts.url);
    expect(await again.sessions()).toEqual([]);
    await again.app.close();
  });
});

const callerIn = (session: { participants: { identity: string; connections: unknown[] }[] } | undefined) =>
  session?.participants.find(({ identity }) => identity === 'caller')?.connections;
