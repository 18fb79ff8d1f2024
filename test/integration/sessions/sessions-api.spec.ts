import type { Session } from '../../../src/sessions/session.js';
import { deliveries } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { bootReceiver, type Receiver } from '../../support/receiver.js';

interface Answer {
  sessions: Session[];
  nextCursor: string | null;
  message?: string;
}

const ADMIN_TOKEN = 'an-admin-token-for-tests';

describe('GET /voice/sessions', () => {
  let database: FreshDatabase;
  let receiver: Receiver;

  beforeAll(async () => {
    database = await freshDatabase();
    receiver = await bootReceiver(database.url, { adminToken: ADMIN_TOKEN });
    const scenarios = [
      'two-party-call',
      'sip-caller',
      'reused-room-name',
      'livekit-crashed',
      'unusual-names',
    ];
    for (const delivery of scenarios.flatMap((scenario) => deliveries(scenario)))
      await receiver.send(delivery);
    await receiver.sessions();
  });

  afterAll(async () => {
    await receiver.app.close();
    await database.drop();
  });

  const get = async (path: string, token: string | null = ADMIN_TOKEN) => {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(receiver.url + path, { headers });
    return { status: response.status, body: (await response.json()) as Answer };
  };

  const ids = async (query: string): Promise<(string | null)[]> =>
    (await get(`/voice/sessions${query}`)).body.sessions.map(({ sessionId }) => sessionId);

  test('asks for the admin token', async () => {
    expect((await get('/voice/sessions', null)).status).toBe(401);
    expect((await get('/voice/sessions', 'another-token')).status).toBe(401);
    expect((await get('/voice/sessions/call-1001', null)).status).toBe(401);
  });

  test('tells a session in the shape of the contract', async () => {
    const { status, body } = await get('/voice/sessions/call-1001');
    expect(status).toBe(200);
    expect(body).toEqual({
      sessions: [
        {
          sessionId: 'call-1001',
          project: 'default',
          roomName: 'call-1001',
          roomSid: 'RM_ZP36R4UfruiF',
          segment: 0,
          state: 'settled',
          startedAt: '2026-11-23T08:48:48.435Z',
          firstJoinedAt: '2026-11-23T08:48:48.435Z',
          lastLeftAt: '2026-11-23T08:48:54.000Z',
          endedAt: '2026-11-23T08:48:56.000Z',
          durationSeconds: 5.565,
          participantSeconds: { standard: 4.399, agent: 5.565, sip: 0 },
          peakParticipants: 2,
          activeParticipants: 0,
          disposition: 'completed',
          dispositionSource: 'rules',
          endReason: null,
          metadata: {},
          unmatched: null,
          inferred: [],
          revision: expect.any(Number),
          participants: [
            {
              identity: 'support-agent',
              name: 'Support agent',
              kind: 'agent',
              attributes: {},
              sip: null,
              connections: [
                {
                  participantSid: 'PA_YQAnB9WysDMu',
                  joinedAt: '2026-11-23T08:48:48.435Z',
                  leftAt: '2026-11-23T08:48:54.000Z',
                  reason: 'CLIENT_INITIATED',
                  inferred: [],
                },
              ],
            },
            {
              identity: 'caller-1001',
              name: 'Caller',
              kind: 'standard',
              attributes: {},
              sip: null,
              connections: [
                {
                  participantSid: 'PA_AzpqPZg3PqXJ',
                  joinedAt: '2026-11-23T08:48:48.601Z',
                  leftAt: '2026-11-23T08:48:53.000Z',
                  reason: 'CLIENT_INITIATED',
                  inferred: [],
                },
              ],
            },
          ],
          recordings: [],
        },
      ],
    });
  });

  test('tells all sessions of a room name that was used again, the newest first', async () => {
    const { body } = await get('/voice/sessions/lobby');
    expect(body.sessions.map(({ roomSid }) => roomSid)).toEqual(['RM_j3PKhNMGBwGL', 'RM_52R4b9rjWGhw']);
  });

  test('finds a session by a name of any letters', async () => {
    const name = 'Zürich 東京 — "booth" #7/🎙';
    expect((await get(`/voice/sessions/${encodeURIComponent(name)}`)).body.sessions).toHaveLength(1);
  });

  test('answers 404 for a session that nobody has heard of', async () => {
    expect((await get('/voice/sessions/call-0000')).status).toBe(404);
  });

  test('filters by state, session, identity and telephone number', async () => {
    expect(await ids('?state=active')).toEqual(['call-1015']);
    expect(await ids('?sessionId=lobby')).toEqual(['lobby', 'lobby']);
    expect(await ids('?identity=visitor-2')).toEqual(['lobby']);
    expect(await ids(`?number=${encodeURIComponent('+15550100')}`)).toEqual(['call-1012']);
    expect(await ids(`?number=${encodeURIComponent('+15550199')}`)).toEqual(['call-1012']);
    expect(await ids('?state=settled&identity=support-agent&sessionId=call-1001')).toEqual(['call-1001']);
    expect(await ids('?identity=nobody')).toEqual([]);
  });

  test('finds nothing, and does not fail, for texts that no database holds', async () => {
    for (const name of ['sessionId', 'identity', 'number']) expect(await ids(`?${name}=%00`)).toEqual([]);
    expect((await get('/voice/sessions/%00')).status).toBe(404);
  });

  test('goes through all of them page by page', async () => {
    const all = await ids('');
    const paged: (string | null)[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body }: { body: Answer } = await get(`/voice/sessions?limit=2&cursor=${cursor}`);
      expect(body.sessions.length).toBeLessThanOrEqual(2);
      paged.push(...body.sessions.map(({ sessionId }) => sessionId));
      cursor = body.nextCursor;
    }
    expect(all).toHaveLength(7);
    expect(paged).toEqual(all);
  });

  test.each([
    ['?state=asleep', /state/],
    ['?limit=0', /limit/],
    ['?limit=1000', /limit/],
    ['?limit=many', /limit/],
    ['?cursor=nonsense', /cursor/],
    ['?identity=a&identity=b', /identity/],
  ])('answers 400 for %s, and says what is wrong', async (query, message) => {
    const { status, body } = await get(`/voice/sessions${query}`);
    expect(status).toBe(400);
    expect(body.message).toMatch(message);
  });
});

describe('without an admin token', () => {
  test('there are no session routes', async () => {
    const database = await freshDatabase();
    const receiver = await bootReceiver(database.url);
    expect((await fetch(`${receiver.url}/voice/sessions`)).status).toBe(404);
    await receiver.app.close();
    await database.drop();
  });
});
