import { factsOf } from '../../../src/sessions/facts/extract.js';

const AT = 1_795_423_730_000;
const ROOM = { sid: 'RM_1', name: 'call' };
const FULL_ROOM = { ...ROOM, creationTime: '1795423728', creationTimeMs: '1795423728435', emptyTimeout: 300 };
const ANN = { sid: 'PA_1', identity: 'ann' };

const factsIn = (name: string, fields: object, allowed: string[] = []) =>
  factsOf(
    { source: 'default', eventId: 'EV_1', name, occurredAt: AT, body: { event: name, ...fields } },
    new Set(allowed),
  );
const roomIn = (name: string, fields: object) => factsIn(name, fields).rooms[0];
const connectionIn = (name: string, participant: object, allowed: string[] = []) =>
  factsIn(name, { room: ROOM, participant: { ...ANN, ...participant } }, allowed).connections[0];

describe('what an event says of its room', () => {
  it('takes the time a room was made to the millisecond', () => {
    expect(roomIn('room_started', { room: FULL_ROOM })?.openedAt).toBe(1_795_423_728_435);
  });

  it('takes seconds from servers that tell no milliseconds', () => {
    const { creationTimeMs: _, ...older } = FULL_ROOM;
    expect(roomIn('room_started', { room: older })?.openedAt).toBe(1_795_423_728_000);
  });

  it('knows that a room was there when it was made, or else when it was first told of', () => {
    expect(roomIn('room_started', { room: FULL_ROOM })?.seenAt).toBe(1_795_423_728_435);
    expect(roomIn('room_started', { room: ROOM })?.seenAt).toBe(AT);
  });

  it('reads 64-bit integers from numbers as from text', () => {
    const room = { ...ROOM, creationTimeMs: 1_795_423_728_435 };
    expect(roomIn('room_started', { room })?.openedAt).toBe(1_795_423_728_435);
  });

  it('knows a start by room_started alone, and an end by room_finished alone', () => {
    expect(roomIn('room_started', { room: FULL_ROOM })).toMatchObject({ starts: [AT], finishes: [] });
    expect(
      roomIn('room_finished', { room: FULL_ROOM, roomEndReason: 'ROOM_END_IDLE_TIMEOUT' }),
    ).toMatchObject({ starts: [], finishes: [{ at: AT, endReason: 'ROOM_END_IDLE_TIMEOUT' }] });
    expect(roomIn('participant_joined', { room: FULL_ROOM, participant: ANN })).toMatchObject({
      starts: [],
      finishes: [],
    });
  });

  it.each([
    [0, null],
    ['ROOM_END_UNKNOWN', null],
    [1, 'ROOM_END_API_DELETE'],
    [5, 'ROOM_END_OPEN_FAILED'],
    [6, null],
    ['ROOM_END_SOMETHING_NEW', 'ROOM_END_SOMETHING_NEW'],
    ['', null],
    [undefined, null],
  ])('reads the reason %p of an end as %p', (roomEndReason, endReason) => {
    expect(roomIn('room_finished', { room: FULL_ROOM, roomEndReason })?.finishes).toEqual([
      { at: AT, endReason },
    ]);
  });

  it('keeps a full room object without its TURN password and its codecs', () => {
    const room = { ...FULL_ROOM, turnPassword: 'secret', enabledCodecs: [{ mime: 'audio/opus' }] };
    expect(roomIn('room_started', { room })?.description).toEqual({
      at: AT,
      eventId: 'EV_1',
      room: FULL_ROOM,
    });
  });

  it('keeps that of a room or participant event though it does not tell when the room was made', () => {
    const room = { ...ROOM, emptyTimeout: 300 };
    for (const name of ['room_started', 'room_finished', 'participant_joined', 'participant_left'])
      expect(roomIn(name, { room, participant: ANN })).toMatchObject({
        openedAt: null,
        description: { at: AT, room },
      });
    expect(roomIn('room_started', { room: { sid: 'RM_1' } })?.description).toBeNull();
  });

  it('takes no full room object from an end that LiveKit did not send', () => {
    const event = { source: 'default', eventId: 'reconciled:RM_1:finished', name: 'room_finished' };
    const facts = factsOf({ ...event, occurredAt: AT, body: { room: ROOM }, reconciled: true });
    expect(facts.rooms[0]).toMatchObject({ roomName: 'call', description: null });
  });

  it.each([
    [undefined, 'gone'],
    ['empty', 'empty'],
  ])('takes an end that LiveKit did not send, because of %p, for one inferred: %s', (because, inferred) => {
    const event = { source: 'default', eventId: 'reconciled:RM_1:finished', name: 'room_finished' };
    const facts = factsOf({ ...event, occurredAt: AT, body: { room: ROOM, because }, reconciled: true });
    const finishes = [{ at: AT, endReason: null, inferred }];
    expect(facts.rooms[0]).toMatchObject({ finishes, starts: [], listedAt: null });
  });

  it('takes a start that LiveKit did not send for the time at which it was listed', () => {
    const event = { source: 'default', eventId: 'reconciled:RM_1:started', name: 'room_started' };
    const facts = factsOf({ ...event, occurredAt: AT, body: { room: FULL_ROOM }, reconciled: true });
    expect(facts.rooms[0]).toMatchObject({ starts: [], listedAt: AT, openedAt: 1_795_423_728_435 });
    expect(roomIn('room_started', { room: FULL_ROOM })).toMatchObject({ starts: [AT], listedAt: null });
  });

  it('takes nothing but the name from the room of a track event', () => {
    expect(roomIn('track_published', { room: ROOM, participant: ANN })).toMatchObject({
      roomName: 'call',
      openedAt: null,
      description: null,
    });
  });

  it('finds the room of a recording in its info when the event has none of its own', () => {
    const egressInfo = { egressId: 'EG_1', roomId: 'RM_1', roomName: 'call' };
    const facts = factsIn('egress_ended', { egressInfo });
    expect(facts.rooms).toMatchObject([{ roomSid: 'RM_1', roomName: 'call', openedAt: null }]);
    expect(facts.connections).toEqual([]);
  });
});

describe('what an event says of a recording', () => {
  const told = {
    egressId: 'EG_1',
    roomId: 'RM_1',
    status: 'EGRESS_COMPLETE',
    startedAt: '1795423717824000000',
    endedAt: '1795423720139000000',
    updatedAt: '1795423720240000000',
    fileResults: [{ filename: 'a.ogg', duration: '2316000000', size: '48213' }],
  };
  const recordingIn = (egressInfo: object) => factsIn('egress_ended', { egressInfo }).egresses[0];

  it('takes its times, which are nanoseconds', () => {
    expect(recordingIn(told)).toMatchObject({
      startedAt: 1_795_423_717_824,
      report: {
        endedAt: 1_795_423_720_139,
        updatedAt: 1_795_423_720_240_000,
        files: [{ durationSeconds: 2.316, sizeBytes: 48_213 }],
      },
    });
  });

  it('takes them from numbers as from text', () => {
    const inNumbers = {
      ...told,
      startedAt: Number(told.startedAt),
      endedAt: Number(told.endedAt),
      updatedAt: Number(told.updatedAt),
      fileResults: [{ filename: 'a.ogg', duration: 2_316_000_000, size: 48_213 }],
    };
    expect(recordingIn(inNumbers)).toEqual(recordingIn(told));
  });

  it('takes files, segments and streams from lists, and from where older servers have the only one', () => {
    const segments = {
      playlistName: 'a.m3u8',
      playlistLocation: 's3://a',
      duration: '1500000000',
      segmentCount: '3',
    };
    const info = [
      { url: 'rtmps://me:key@live.example.com/app/secret?k=1', status: 'FINISHED', duration: '2000000000' },
      { url: 'no url', error: 'x'.repeat(2_000) },
    ];
    const { report } = recordingIn({ ...told, segmentResults: [segments], streamResults: info }) ?? {};
    expect(report).toMatchObject({
      files: [{ filename: 'a.ogg', location: null }],
      segments: [{ playlist: 'a.m3u8', location: 's3://a', durationSeconds: 1.5, sizeBytes: null, count: 3 }],
      streams: [
        { destination: 'rtmps://live.example.com', status: 'finished', durationSeconds: 2, error: null },
        { destination: null, status: 'active', durationSeconds: null, error: 'x'.repeat(1_000) },
      ],
    });
    const {
      fileResults: [file],
    } = told;
    const older = { ...told, fileResults: undefined, file, segments, stream: { info } };
    expect(recordingIn(older)?.report).toEqual(report);
  });

  it.each([
    ['egress_ended', 'EGRESS_ABORTED', {}, 3, 'aborted'],
    ['egress_ended', 'EGRESS_ENDING', {}, 3, 'complete'],
    ['egress_ended', undefined, { error: 'no' }, 3, 'failed'],
    ['egress_updated', 'EGRESS_LIMIT_REACHED', {}, 3, 'limit_reached'],
    ['egress_updated', 'EGRESS_ENDING', {}, 2, 'ending'],
    ['egress_updated', 1, {}, 1, 'active'],
    ['egress_updated', 'EGRESS_NEW', {}, 0, 'new'],
    ['egress_started', undefined, {}, 0, 'starting'],
  ])('takes %s with the status %p, %j, for progress %d: %s', (name, status, more, progress, read) => {
    const egressInfo = { egressId: 'EG_1', roomId: 'RM_1', status, ...more };
    expect(factsIn(name, { egressInfo }).egresses[0]?.report).toMatchObject({ progress, status: read });
  });

  it('knows one that failed before it had an id by its event, and when it was told of', () => {
    const [recording] = factsIn('egress_ended', { egressInfo: { roomId: 'RM_1' } }).egresses;
    expect(recording).toMatchObject({
      egressId: 'event:EV_1',
      seenAt: AT,
      startedAt: null,
      report: { updatedAt: AT * 1_000, endedAt: null },
    });
  });

  it.each([0, '0', 1.5, -1_795_423_717_824_000_000, 1e30, true, null])(
    'takes no time from %j',
    (startedAt) => {
      expect(recordingIn({ ...told, startedAt })?.startedAt).toBeNull();
    },
  );
});

describe('what an event says of a connection', () => {
  it.each(['participant_joined', 'participant_left'])('takes the join of %s to the millisecond', (name) => {
    const times = { joinedAt: '1795423728', joinedAtMs: '1795423728601' };
    expect(connectionIn(name, times)?.joinedAt).toBe(1_795_423_728_601);
  });

  it('takes a join in seconds from servers that tell no milliseconds', () => {
    expect(connectionIn('participant_joined', { joinedAt: '1795423728' })?.joinedAt).toBe(1_795_423_728_000);
  });

  it('takes a join that tells no time for one of the time it was sent', () => {
    expect(connectionIn('participant_joined', {})?.joinedAt).toBe(AT);
    expect(connectionIn('participant_left', {})?.joinedAt).toBeNull();
  });

  it('takes a leave at the time it was sent, with its reason', () => {
    expect(connectionIn('participant_left', { disconnectReason: 'CLIENT_INITIATED' })?.leave).toEqual({
      at: AT,
      reason: 'CLIENT_INITIATED',
      eventId: 'EV_1',
    });
  });

  it('names the reason that protojson leaves out', () => {
    expect(connectionIn('participant_left', {})?.leave?.reason).toBe('UNKNOWN_REASON');
  });

  it.each([
    [0, 'UNKNOWN_REASON'],
    [2, 'DUPLICATE_IDENTITY'],
    [16, 'AGENT_ERROR'],
    [17, 'UNKNOWN_REASON'],
  ])('reads the reason %d as %s', (disconnectReason, reason) => {
    expect(connectionIn('participant_left', { disconnectReason })?.leave?.reason).toBe(reason);
  });

  it.each([
    [undefined, 'standard'],
    ['AGENT', 'agent'],
    ['HOLOGRAM', 'hologram'],
    [1, 'ingress'],
    [3, 'sip'],
    [7, 'connector'],
    [8, 'bridge'],
  ])('reads the kind %p as %s', (kind, read) => {
    expect(connectionIn('participant_joined', { kind })?.kind).toBe(read);
  });

  it.each([
    [undefined, { recorder: true }, 'egress'],
    ['STANDARD', { recorder: true }, 'egress'],
    [0, { recorder: true }, 'egress'],
    ['AGENT', { recorder: true }, 'agent'],
    [undefined, { agent: true }, 'agent'],
    [undefined, { recorder: true, agent: true }, 'egress'],
    ['SIP', { agent: true }, 'sip'],
    [undefined, { recorder: false, agent: false }, 'standard'],
  ])('reads the kind %p of a participant whose permissions are %p as %s', (kind, marks, read) => {
    const permission = { canSubscribe: true, hidden: true, ...marks };
    expect(connectionIn('participant_joined', { kind, permission })?.kind).toBe(read);
  });

  it.each([
    ['participant_joined', ANN, 'standard'],
    ['participant_left', ANN, null],
    ['participant_left', { ...ANN, kind: 'AGENT' }, 'agent'],
  ])('takes a %s that LiveKit told when it was asked, of %p, for one of a %p', (name, participant, kind) => {
    const event = { source: 'default', eventId: 'reconciled:PA_1', name, occurredAt: AT };
    const facts = factsOf({ ...event, body: { room: ROOM, participant }, reconciled: true });
    expect(facts.connections[0]?.kind).toBe(kind);
  });

  it.each(['DISCONNECTED', 3])(
    'takes a join for no sign that whoever has left since (%p) was still there',
    (state) => {
      expect(
        connectionIn('participant_joined', { state, disconnectReason: 'CLIENT_INITIATED' }),
      ).toMatchObject({
        connected: true,
        seenAt: AT,
        lastSeenAt: null,
        leave: null,
      });
      expect(connectionIn('participant_joined', { state: 'ACTIVE' })?.lastSeenAt).toBe(AT);
    },
  );

  it('takes a track for a sign of being connected, and knows nothing else by it', () => {
    expect(connectionIn('track_published', {})).toMatchObject({
      identity: 'ann',
      connected: true,
      seenAt: AT,
      lastSeenAt: AT,
      kind: null,
      joinedAt: null,
      leave: null,
      name: null,
      attributes: null,
    });
  });

  it.each([
    ['participant_connection_aborted', 'SIGNAL_CLOSE'],
    ['participant_left', 'JOIN_FAILURE'],
  ])('takes %s with %s for no connection and no join', (name, disconnectReason) => {
    const attempt = { joinedAtMs: '1795423728601', disconnectReason };
    expect(connectionIn(name, attempt)).toMatchObject({
      connected: false,
      seenAt: null,
      joinedAt: null,
      leave: null,
      abort: { at: AT, reason: disconnectReason },
    });
  });

  it('keeps the attributes of a telephone call and those that are allowed, and no others', () => {
    const attributes = { 'sip.callID': 'SCL_1', 'sip.h.x-secret': 'no', tier: 'gold', email: 'a@b.c' };
    expect(connectionIn('participant_joined', { version: 2, attributes }, ['tier'])?.attributes).toEqual({
      value: { 'sip.callID': 'SCL_1', tier: 'gold' },
      version: 2,
      eventId: 'EV_1',
    });
  });
});

describe('what is no fact', () => {
  it.each(['order.paid', 'session.started', 'ingress_started', 'agent_job_ended', 'room_moved'])(
    'takes nothing from %s, though it has a room and a participant',
    (name) => {
      expect(factsIn(name, { room: FULL_ROOM, participant: ANN })).toEqual({
        rooms: [],
        connections: [],
        egresses: [],
      });
    },
  );

  it.each([null, 7, 'text', [], { room: [] }, { room: { sid: 7 } }, { room: { sid: '' } }, { room: null }])(
    'takes nothing from %j',
    (body) => {
      const event = { source: 'default', eventId: 'EV_1', name: 'room_started', occurredAt: AT, body };
      expect(factsOf(event)).toEqual({ rooms: [], connections: [], egresses: [] });
    },
  );

  it('knows the room of a participant that is none', () => {
    const facts = factsIn('participant_joined', { room: ROOM, participant: [ANN] });
    expect(facts.rooms).toHaveLength(1);
    expect(facts.connections).toEqual([]);
  });

  it.each(['999999999999999', '99999999999999999999', '-5', '1e9', 1e21, 1.5, {}, true])(
    'does not take %j for a time',
    (creationTime) => {
      expect(roomIn('room_started', { room: { ...ROOM, creationTime } })?.openedAt).toBeNull();
    },
  );

  it('is not fooled by a key named __proto__', () => {
    const body = JSON.parse(
      '{"__proto__":{"room":{"sid":"RM_2"}},"room":{"sid":"RM_1","creationTime":"5","__proto__":{"name":"x"}}}',
    ) as unknown;
    const event = { source: 'default', eventId: 'EV_1', name: 'room_started', occurredAt: AT, body };
    expect(factsOf(event).rooms).toMatchObject([{ roomSid: 'RM_1', roomName: null }]);
    expect(Object.prototype).not.toHaveProperty('room');
  });

  it('survives a body nested deeper than the stack', () => {
    const deep = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)) as unknown;
    const fact = roomIn('room_started', { room: { ...FULL_ROOM, metadata: deep } });
    expect(JSON.parse(JSON.stringify(fact))).toMatchObject({ description: { room: FULL_ROOM } });
  });
});

describe('text from outside', () => {
  it('becomes what PostgreSQL takes: no NUL and no half of a surrogate pair, in the room object too', () => {
    const room = { ...FULL_ROOM, name: 'a\0b\ud800' };
    expect(roomIn('room_started', { room })).toMatchObject({
      roomName: 'a\u2400b\ufffd',
      description: { room: { name: 'a\u2400b\ufffd' } },
    });
    expect(connectionIn('participant_joined', { identity: '\0', name: '\udc00' })).toMatchObject({
      identity: '\u2400',
      name: { value: '\ufffd' },
    });
  });
});
