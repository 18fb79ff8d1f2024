import { sqlQuery } from '../../support/database.js';
import { handlerHosts, handlerOf, type HandlerHost } from '../../support/handlers.js';

const ADMIN_TOKEN = 'an-admin-token-for-tests';

const REQUESTS = [
  'GET /voice/deliveries',
  'GET /voice/deliveries/1',
  'POST /voice/deliveries/replay',
  'POST /voice/deliveries/1/replay',
  'POST /voice/deliveries/dismiss',
  'POST /voice/deliveries/1/dismiss',
  'GET /voice/handlers',
  'POST /voice/handlers/bill/pause',
  'POST /voice/handlers/bill/resume',
  'POST /voice/handlers/bill/backfill',
];

/** What is wrong with a request, and how it is answered. */
const WRONG: [request: string, status: number, message: RegExp][] = [
  ['GET /voice/deliveries?state=gone', 400, /`state` must be one of pending, running/],
  ['GET /voice/deliveries?limit=0', 400, /`limit` must be a whole number from 1 to 500/],
  ['GET /voice/deliveries?limit=many', 400, /`limit` must be a whole number/],
  ['GET /voice/deliveries?cursor=nonsense', 400, /`cursor` is not one of ours/],
  ['GET /voice/deliveries?handler=a&handler=b', 400, /`handler` is given more than once/],
  [
    'GET /voice/deliveries?handlr=bill',
    400,
    /the query has `handlr`: only handler, state, room, limit, cursor/,
  ],
  ['GET /voice/deliveries/4711', 404, /there is no delivery 4711/],
  ['GET /voice/deliveries/nonsense', 400, /numeric string is expected/],
  ['POST /voice/deliveries/replay?handlr=bill', 400, /the query has `handlr`: only handler, state, room/],
  ['POST /voice/deliveries/replay?handler=', 400, /`handler` has no value/],
  ['POST /voice/handlers/bill/backfill?since=', 400, /`since` has no value/],
  ['POST /voice/handlers/no%00body/pause', 404, /there is no handler/],
  ['POST /voice/deliveries/dismiss?state=dead', 400, /the query has `state`: only handler, room/],
  ['POST /voice/deliveries/4711/replay', 404, /there is no delivery 4711/],
  ['POST /voice/deliveries/4711/dismiss', 404, /there is no delivery 4711/],
  ['POST /voice/handlers/nobody/pause', 404, /there is no handler `nobody`/],
  ['POST /voice/handlers/nobody/backfill', 404, /there is no handler `nobody`/],
  ['POST /voice/handlers/bill/backfill?since=yesterday', 400, /`since` must be a time in ISO 8601/],
  ['POST /voice/handlers/bill/backfill?since=2026-11-23+10:00+PM', 400, /must be a time in ISO 8601/],
  ['POST /voice/handlers/bill/backfill?from=1', 400, /the query has `from`: only since, fromSeq/],
];

/** As `GET /voice/deliveries` tells it, as far as the tests look. */
interface Told {
  id: number;
  state: string;
  replay: number;
  event: { id: string };
}

describe('the routes of deliveries and handlers', () => {
  const hosts = handlerHosts();
  let host: HandlerHost;
  let url: string;
  let isMended: boolean;

  beforeEach(async () => {
    isMended = false;
    const bill = () => {
      if (!isMended) throw new Error('no billing today');
    };
    const providers = [
      handlerOf('bill', bill, { names: ['room_finished'], maxAttempts: 1 }),
      handlerOf('outlet.webhook'),
    ];
    host = await hosts.boot(providers, { options: { adminToken: ADMIN_TOKEN } });
    await host.app.listen(0, '127.0.0.1');
    url = await host.app.getUrl();
  });

  const ask = async (request: string, token: string | null = ADMIN_TOKEN, body?: object) => {
    const [method = '', path = ''] = request.split(' ');
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };

  const told = async (query: string): Promise<Told[]> =>
    (await ask(`GET /voice/deliveries?${query}`)).body.deliveries;

  const killBills = async (...ids: string[]) => {
    await host.receive(...ids.map((id): [string, string, string] => [id, 'room_finished', `RM_${id}`]));
    await host.deliveries.drain();
  };

  test('ask for the admin token', async () => {
    const refused: string[] = [];
    for (const request of REQUESTS) {
      for (const token of [null, 'another-admin-token'])
        if ((await ask(request, token)).status === 401) refused.push(request);
    }
    expect(refused).toEqual(REQUESTS.flatMap((request) => [request, request]));
  });

  test('do not exist without one', async () => {
    await hosts.stop(host);
    const another = await hosts.boot([]);
    await another.app.listen(0, '127.0.0.1');
    url = await another.app.getUrl();
    expect((await ask('GET /voice/deliveries')).status).toBe(404);
    expect((await ask('GET /voice/handlers')).status).toBe(404);
  });

  test('show a dead letter with what was thrown, and replay it once its handler is mended', async () => {
    await killBills('EV_1');
    const [dead] = await told('state=dead');
    const { status, body } = await ask(`GET /voice/deliveries/${dead?.id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      handler: 'bill',
      state: 'dead',
      doneAt: new Date(host.clock.now()).toISOString(),
      event: { id: 'EV_1', name: 'room_finished', roomSid: 'RM_EV_1' },
      attempts: [{ attempt: 1, error: expect.stringMatching(/^Error: no billing today\n +at /) }],
    });
    isMended = true;
    const replayed = await ask(`POST /voice/deliveries/${dead?.id}/replay`);
    expect(replayed).toEqual({ status: 201, body: { id: expect.any(Number) } });
    await host.deliveries.drain();
    expect(await told('handler=bill&limit=1')).toMatchObject([
      { id: replayed.body.id, state: 'done', replay: 1 },
    ]);
    expect(await told('state=dead')).toEqual([]);
  });

  test('tell deliveries page by page', async () => {
    await killBills('EV_1', 'EV_2', 'EV_3');
    const { body } = await ask('GET /voice/deliveries?handler=bill&limit=2');
    const rest = await told(`handler=bill&limit=2&cursor=${body.nextCursor}`);
    expect([...body.deliveries, ...rest].map(({ event }) => event.id).sort()).toEqual([
      'EV_1',
      'EV_2',
      'EV_3',
    ]);
    expect(await told('room=RM_EV_2&state=dead')).toMatchObject([{ event: { id: 'EV_2' } }]);
  });

  test('replay and dismiss all that a filter meets', async () => {
    await killBills('EV_1', 'EV_2', 'EV_3');
    expect(await ask('POST /voice/deliveries/dismiss?room=RM_EV_1')).toEqual({
      status: 200,
      body: { dismissed: 1 },
    });
    const [dead] = await told('state=dead');
    expect(await ask(`POST /voice/deliveries/${dead?.id}/dismiss`)).toEqual({ status: 204, body: null });
    isMended = true;
    expect(await ask('POST /voice/deliveries/replay?handler=bill')).toEqual({
      status: 200,
      body: { replayed: 1 },
    });
    await host.deliveries.drain();
    expect((await told('handler=bill')).map(({ state }) => state).sort()).toEqual([
      'dismissed',
      'dismissed',
      'done',
      'replayed',
    ]);
    expect(await ask('POST /voice/deliveries/replay?state=done&handler=outlet.webhook')).toMatchObject({
      body: { replayed: 3 },
    });
  });

  test('pause and resume a handler, tell how far behind it is, and give it what came before it', async () => {
    expect((await ask('POST /voice/handlers/outlet.webhook/pause')).status).toBe(204);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    const { body } = await ask('GET /voice/handlers');
    expect(body.handlers).toEqual([
      expect.objectContaining({ handler: 'bill', paused: false, pending: 0 }),
      expect.objectContaining({ handler: 'outlet.webhook', paused: true, pending: 1 }),
    ]);
    expect((await ask('POST /voice/handlers/outlet.webhook/resume')).status).toBe(204);
    await host.deliveries.drain();
    expect(await told('state=done')).toHaveLength(1);
  });

  test('give a handler what it was never given', async () => {
    await killBills('EV_1', 'EV_2');
    await sqlQuery(hosts.url, "DELETE FROM livekit_deliveries WHERE handler = 'outlet.webhook'");
    const backfilled = async (query: string) => {
      expect((await ask(`POST /voice/handlers/outlet.webhook/backfill?${query}`)).status).toBe(202);
      await host.deliveries.drain();
      return (await told('handler=outlet.webhook')).map(({ event }) => event.id);
    };
    expect(await backfilled('since=2100-01-01T00:00:00Z')).toEqual([]);
    expect(await backfilled('fromSeq=2')).toHaveLength(1);
    expect(await backfilled('')).toHaveLength(2);
  });

  test('answer what is wrong', async () => {
    const answers = [];
    for (const [request] of WRONG) {
      const { status, body } = await ask(request);
      answers.push([request, status, body.message]);
    }
    expect(answers).toEqual(
      WRONG.map(([request, status, message]) => [request, status, expect.stringMatching(message)]),
    );
  });

  test('do not take a condition in the body for none', async () => {
    await killBills('EV_1');
    for (const path of ['deliveries/replay', 'deliveries/dismiss', 'handlers/bill/backfill']) {
      expect(await ask(`POST /voice/${path}`, ADMIN_TOKEN, { handler: 'outlet.webhook' })).toMatchObject({
        status: 400,
        body: { message: expect.stringMatching(/stand in the query/) },
      });
    }
    expect(await told('state=dead')).toHaveLength(1);
  });

  test('answer 409 where a delivery is in no state for it', async () => {
    await ask('POST /voice/handlers/outlet.webhook/pause');
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    const [pending] = await told('state=pending');
    for (const what of ['replay', 'dismiss']) {
      expect(await ask(`POST /voice/deliveries/${pending?.id}/${what}`)).toMatchObject({
        status: 409,
        body: { message: expect.stringMatching(/is pending/) },
      });
    }
  });
});
