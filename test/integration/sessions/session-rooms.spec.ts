import { TokenVerifier } from 'livekit-server-sdk';
import { Reconciler } from '../../../src/sessions/reconciliation/reconciler.js';
import { SessionRooms } from '../../../src/sessions/rooms/session-rooms.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import type { SessionsModuleOptions } from '../../../src/sessions/sessions.options.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { LivekitStandIn } from '../../support/livekit-stand-in.js';
import { bootReconciled, type ReconciledHost } from '../../support/reconciled.js';
import { bootReceiver } from '../../support/receiver.js';

describe('rooms and tokens of sessions', () => {
  let database: FreshDatabase;
  let standIn: LivekitStandIn;
  let host: ReconciledHost;

  beforeAll(async () => {
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
  });

  afterAll(() => standIn.stop());

  beforeEach(async () => {
    database = await freshDatabase();
    standIn.reset();
  });

  afterEach(async () => {
    await host.app.close();
    await database.drop();
  });

  const boot = async (options: SessionsModuleOptions = {}): Promise<SessionRooms> => {
    host = await bootReconciled(database.url, standIn, options);
    return host.app.get(SessionRooms);
  };

  const expected = async () => (await host.app.get(SessionsService).expectations()).expectations;

  const grantsIn = (token: string) =>
    new TokenVerifier(CAPTURE_KEY.apiKey, CAPTURE_KEY.apiSecret).verify(token);

  test('a room is made under the name of its session, which is expected', async () => {
    const rooms = await boot();
    host.clock.set(Date.now());
    const { room, expectation } = await rooms.createRoom('order-4711', {
      metadata: { order: 4711 },
      room: { departureTimeout: 60, metadata: 'for LiveKit' },
    });
    expect(room).toMatchObject({ name: 'order-4711', departureTimeout: 60, metadata: 'for LiveKit' });
    expect(expectation).toMatchObject({
      sessionId: 'order-4711',
      state: 'awaiting',
      metadata: { order: 4711 },
    });
    host.clock.advance(60_000);
    await host.app.get(Reconciler).reconcileNow();
    expect(await host.session('order-4711')).toMatchObject({ roomSid: room.sid, metadata: { order: 4711 } });
    expect(await expected()).toEqual([expect.objectContaining({ state: 'matched', roomSid: room.sid })]);
  });

  test('or under another, and then its token lets into that one', async () => {
    const rooms = await boot({ sessionId: (room) => room.name.split('/')[1] });
    const { room } = await rooms.createRoom('4711', { roomName: 'order/4711' });
    expect(room.name).toBe('order/4711');
    const token = await rooms.createToken('4711', { identity: 'ann' });
    expect((await grantsIn(token)).video).toEqual({ roomJoin: true, room: 'order/4711' });
  });

  test('or under that of a session which the host tells by what else the room is given', async () => {
    const rooms = await boot({ sessionId: (room) => room.metadata });
    const { room } = await rooms.createRoom('4711', { room: { metadata: '4711' } });
    expect(room).toMatchObject({ name: '4711', metadata: '4711' });
  });

  test.each<[string, SessionsModuleOptions['sessionId']]>([
    ['no session id', (room) => room.name.split('/')[1]],
    [
      'no session id',
      () => {
        throw new Error('no such order');
      },
    ],
    ['the session id `another`', () => 'another'],
  ])('refuses a room that would be given %s', async (given, sessionId) => {
    const rooms = await boot({ sessionId });
    await expect(rooms.createRoom('4711')).rejects.toThrow(
      `the option \`sessionId\` gives ${given} to a room of the name \`4711\`: say which room session \`4711\` is in, \`roomName\``,
    );
    expect(standIn.count('CreateRoom')).toBe(0);
    expect(await expected()).toEqual([]);
  });

  test('no room is made in a project that is not there', async () => {
    const rooms = await boot();
    await expect(rooms.createRoom('order-4711', { project: 'none' })).rejects.toThrow(
      'there is no project `none`: name one of `default`',
    );
  });

  test('nobody is expected in a room that LiveKit did not make', async () => {
    const rooms = await boot();
    standIn.troubles.set('CreateRoom', { status: 429, code: 'resource_exhausted', msg: 'too many rooms' });
    await expect(rooms.createRoom('order-4711')).rejects.toThrow(
      'LiveKit made no room for session `order-4711`: 429 resource_exhausted',
    );
    expect(await expected()).toEqual([]);
  });

  test('somebody is, in a room that LiveKit may have made: it did not answer', async () => {
    const rooms = await boot();
    standIn.troubles.set('CreateRoom', 'hang');
    await expect(rooms.createRoom('order-4711')).rejects.toThrow(
      'LiveKit made no room for session `order-4711`: no answer in time',
    );
    expect(await expected()).toMatchObject([{ sessionId: 'order-4711', state: 'awaiting' }]);
  });

  test('a token says who joins, and what they may do', async () => {
    const rooms = await boot();
    const token = await rooms.createToken('order-4711', {
      identity: 'ann',
      name: 'Ann',
      attributes: { tier: 'gold' },
      metadata: 'hers',
      kind: 'agent',
      grants: { canPublish: false },
      ttl: 60,
    });
    const claims = (await grantsIn(token)) as { exp: number; nbf: number } & Record<string, unknown>;
    expect(claims).toMatchObject({
      iss: CAPTURE_KEY.apiKey,
      sub: 'ann',
      name: 'Ann',
      attributes: { tier: 'gold' },
      metadata: 'hers',
      kind: 'agent',
      video: { roomJoin: true, room: 'order-4711', canPublish: false },
    });
    expect(claims.exp - claims.nbf).toBeLessThanOrEqual(60);
    await expect(rooms.createToken('order-4711', { identity: '' })).rejects.toThrow('`identity` is missing');
    await expect(rooms.createToken('x', { identity: 'ann', project: 'none' })).rejects.toThrow(
      'there is no project `none`: name one of `default`',
    );
  });

  // LiveKit lets a token without a room into whichever its client names.
  test.each(['', undefined])(
    'no token is made for the session `%s`: it would let into any room',
    async (id) => {
      const rooms = await boot();
      await expect(rooms.createToken(id as string, { identity: 'ann' })).rejects.toThrow(
        'the session id is missing or empty: a token without a room lets into every one',
      );
    },
  );

  test.each([0, NaN, ''])(
    'no token is made that may be used for `%s`: it would be one of 6 hours',
    async (ttl) => {
      const rooms = await boot();
      await expect(rooms.createToken('order-4711', { identity: 'ann', ttl })).rejects.toThrow(
        '`ttl` must be more than 0',
      );
    },
  );

  test('without an address there are tokens, and neither rooms nor answers', async () => {
    const receiver = await bootReceiver(database.url);
    host = { app: receiver.app } as ReconciledHost;
    const rooms = host.app.get(SessionRooms);
    expect((await grantsIn(await rooms.createToken('call', { identity: 'ann' }))).video?.room).toBe('call');
    await expect(rooms.createRoom('call')).rejects.toThrow(
      'option `livekitUrl` is not given for project `default`',
    );
    await expect(host.app.get(Reconciler).reconcileNow()).rejects.toThrow(
      'option `livekitUrl` is not given, and so there is nobody to ask',
    );
  });
});
