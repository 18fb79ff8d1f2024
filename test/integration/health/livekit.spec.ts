import { HealthModule } from '../../../src/health/health.module.js';
import { FRESH } from '../../../src/sessions/reconciliation/room-listings.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase, onPostgres } from '../../support/database.js';
import { downWhileReady, healthOf, type ToldIndicator } from '../../support/health.js';
import { LivekitStandIn, type Trouble } from '../../support/livekit-stand-in.js';
import { bootReconciled, type HostParts, type ReconciledHost } from '../../support/reconciled.js';
import { until } from '../../support/until.js';

const WRONG_SECRET = 'a-secret-that-livekit-does-not-know';
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJBUEkifQ.c2lnbmF0dXJl';

const refused = (status: number, msg: string): Trouble => ({ status, code: 'unauthenticated', msg });

describe('the health of LiveKit', () => {
  let database: FreshDatabase;
  let standIn: LivekitStandIn;
  let host: ReconciledHost;

  beforeEach(async () => {
    database = await freshDatabase();
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
  });

  afterEach(async () => {
    await host.app.close();
    await standIn.stop();
    await database.drop();
  });

  const boot = async (parts: HostParts = {}): Promise<void> => {
    host = await bootReconciled(database.url, standIn, { imports: [HealthModule.forRoot()], ...parts });
  };

  /** What is told of a project once it has been asked for again. */
  const askedAgain = async (): Promise<ToldIndicator | undefined> => {
    host.clock.advance(FRESH);
    const { details } = await healthOf(host.app);
    return (details['livekit']?.['projects'] as Record<string, ToldIndicator> | undefined)?.['default'];
  };

  test('is what its last round found, and costs no call of its own', async () => {
    await boot();
    const askedAt = new Date(host.clock.now()).toISOString();
    for (let n = 0; n < 5; n += 1) {
      expect((await healthOf(host.app)).details['livekit']).toEqual({
        status: 'up',
        projects: { default: { status: 'up', host: new URL(standIn.url).host, askedAt } },
      });
    }
    expect(standIn.count('ListRooms')).toBe(1);
    host.clock.advance(FRESH);
    await host.round();
    await Promise.all(Array.from({ length: 5 }, () => healthOf(host.app)));
    expect(standIn.count('ListRooms')).toBe(2);
  });

  test('is asked for anew where no round has been for a while, once for all who ask', async () => {
    await boot();
    host.clock.advance(FRESH);
    await Promise.all(Array.from({ length: 5 }, () => healthOf(host.app)));
    await healthOf(host.app);
    expect(standIn.count('ListRooms')).toBe(2);
    host.clock.set(0); // a clock that is put back
    await healthOf(host.app);
    expect(standIn.count('ListRooms')).toBe(3);
  });

  test('is told by an edge, which does no rounds', async () => {
    if (!onPostgres) return boot();
    await boot({ role: 'edge', isLeft: true });
    for (let n = 0; n < 3; n += 1) expect(await downWhileReady(host.app)).toEqual([]);
    expect(standIn.count('ListRooms')).toBe(1);
    standIn.troubles.set('ListRooms', refused(503, 'no healthy upstream'));
    expect(await askedAgain()).toMatchObject({ status: 'down' });
  });

  test.each<[string, Trouble, RegExp]>([
    [
      'does not take its key',
      refused(401, 'invalid API key: APIother'),
      /API key, or its secret \(401\).*`keys`/,
    ],
    [
      'has another clock',
      refused(401, `invalid token: ${TOKEN}, error: token not valid yet (nbf)`),
      /clock.*NTP/,
    ],
    ['is in trouble itself', refused(503, `no healthy upstream ${TOKEN}`), /answers 503/],
  ])('is down while it %s, and up when that is mended', async (_what, trouble, words) => {
    await boot();
    expect(await downWhileReady(host.app)).toEqual([]);
    standIn.troubles.set('ListRooms', trouble);
    expect(await askedAgain()).toMatchObject({ status: 'down', message: expect.stringMatching(words) });
    expect(await downWhileReady(host.app)).toEqual(['livekit']);
    expect((await healthOf(host.app)).text).not.toContain('eyJ');
    standIn.troubles.clear();
    expect(await askedAgain()).toMatchObject({ status: 'up' });
    expect(await downWhileReady(host.app)).toEqual([]);
    expect(host.logger.of('Health')).toEqual([
      {
        message: 'a health indicator is down',
        indicator: 'livekit',
        detail: expect.stringMatching(new RegExp(`^default: LiveKit .*${words.source}`)),
      },
      { message: 'a health indicator is up again', indicator: 'livekit' },
    ]);
    expect(host.logger.text()).not.toContain('eyJ');
  });

  test('is down while nobody is there, and up when it is back', async () => {
    await boot();
    const port = Number(new URL(standIn.url).port);
    await standIn.stop();
    expect(await askedAgain()).toMatchObject({
      status: 'down',
      message: expect.stringMatching(/can't be reached \(ECONNREFUSED\): .*LIVEKIT_URL/),
    });
    standIn = await LivekitStandIn.start(CAPTURE_KEY, port);
    expect(await askedAgain()).toMatchObject({ status: 'up' });
  });

  test('is told of each project by itself, and without a secret', async () => {
    const projects = [
      { name: 'right', ...CAPTURE_KEY, path: 'right' },
      { name: 'wrong', apiKey: CAPTURE_KEY.apiKey, apiSecret: WRONG_SECRET, path: 'wrong' },
      { name: 'nowhere', apiKey: 'APInowhere', apiSecret: WRONG_SECRET, path: 'nowhere' },
    ];
    const { host: at } = new URL(standIn.url);
    await boot({
      projects,
      livekitUrl: { right: standIn.url, wrong: `http://somebody:${WRONG_SECRET}@${at}/?key=${WRONG_SECRET}` },
    });
    await until('both to be asked', () => host.rounds.length > 1);
    const { details, text } = await healthOf(host.app);
    expect(details['livekit']).toMatchObject({
      status: 'down',
      projects: {
        right: { status: 'up', host: at },
        wrong: { status: 'down', host: at },
      },
    });
    expect(text).not.toContain(WRONG_SECRET);
    expect(text).not.toContain(CAPTURE_KEY.apiSecret);
    expect(Object.keys(details['livekit']?.['projects'] ?? {})).toEqual(['right', 'wrong']);
  });

  test('is what was known last while LiveKit takes its time, and down when it does not answer', async () => {
    await boot();
    standIn.troubles.set('ListRooms', 'hang');
    expect(await askedAgain()).toMatchObject({ status: 'up' });
    const told = await until('the call to be given up', async () => {
      const { details } = await healthOf(host.app);
      return details['livekit']?.status === 'down' && details['livekit'];
    });
    expect(told).toMatchObject({
      projects: { default: { message: expect.stringMatching(/does not answer in time/) } },
    });
    standIn.troubles.clear();
    expect(await askedAgain()).toMatchObject({ status: 'up' });
  });
});
