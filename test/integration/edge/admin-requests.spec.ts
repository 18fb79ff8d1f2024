import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { handlerOf } from '../../support/handlers.js';
import { newId, webhook } from '../../support/webhook.js';

const ADMIN_TOKEN = 'an-admin-token-for-tests';

/** Of bodies that a host's parsers may not take: `fetch` sends the first, unless told. */
const UNTAKEN = ['text/plain;charset=UTF-8', 'application/octet-stream', ''];

/** The second is Fastify's own. */
const REFUSED = [400, 415];

describe.each(ADAPTERS)('admin routes on %s', (adapter) => {
  let host: Host;

  beforeAll(async () => {
    host = await bootHost(adapter, {
      webhooks: { adminToken: ADMIN_TOKEN },
      imports: [SessionsModule.forRoot({ adminToken: ADMIN_TOKEN })],
      providers: [handlerOf('bill')],
    });
    await host.deliver(webhook({ id: newId() }));
    await host.app.get(Deliveries).drain();
  });

  afterAll(() => host.close());

  const ask = async (request: string, body?: unknown, type = 'application/json') => {
    const [method = '', path = ''] = request.split(' ');
    const response = await fetch(host.url + path, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(type !== '' && { 'content-type': type }) },
      // As bytes it has no content type of its own.
      ...(body !== undefined && {
        body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? null : JSON.parse(text) };
  };

  test.each(['application/json', ...UNTAKEN])(
    'do not take a condition in a body of type %j for none',
    async (type) => {
      const before = await host.rows('SELECT id FROM livekit_deliveries');
      for (const path of ['deliveries/replay?state=done', 'deliveries/dismiss', 'handlers/bill/backfill']) {
        const { status } = await ask(`POST /voice/${path}`, { handler: 'another' }, type);
        expect([path, REFUSED]).toEqual([path, expect.arrayContaining([status])]);
      }
      expect(await host.rows('SELECT id FROM livekit_deliveries')).toEqual(before);
    },
  );

  test.each(UNTAKEN)(
    'do not take an expectation in a body of type %j for one without a word',
    async (type) => {
      const path = '/voice/sessions/call-7/expectation';
      const said = { metadata: { order: 7 } };
      expect(await ask(`PUT ${path}`, said)).toMatchObject({ status: 200, json: said });
      const { status } = await ask(`PUT ${path}`, { metadata: { order: 8 } }, type);
      expect(REFUSED).toContain(status);
      expect((await ask('GET /voice/expectations')).json.expectations).toMatchObject([said]);
    },
  );

  test.each([101, 20_000])('refuse metadata that is %d levels deep', async (levels) => {
    const path = 'PUT /voice/sessions/call-9/expectation';
    const nested = `${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}`;
    expect(await ask(path, `{"metadata":{"list":${nested}}}`)).toMatchObject({
      status: 400,
      json: { message: expect.stringMatching(/`metadata`.*at most 100 deep/) },
    });
    expect(
      (await ask(path, `{"metadata":{"list":${nested.slice(levels - 100, 100 - levels)}}}`)).status,
    ).toBe(200);
  });

  test('take an expectation without a body', async () => {
    const { status, json } = await ask('PUT /voice/sessions/call-8/expectation', undefined, '');
    expect([status, json]).toEqual([200, expect.objectContaining({ sessionId: 'call-8', metadata: {} })]);
    expect((await ask('PUT /voice/sessions/call-8/expectation', null)).status).toBe(400);
  });

  test.each([
    ['GET /voice/deliveries?handler[]=x', 'handler, state, room, limit, cursor'],
    [
      'GET /voice/sessions?sessionId[]=x',
      'state, sessionId, room, identity, number, from, to, unmatched, project, cursor, limit',
    ],
    [
      'GET /voice/sessions?__proto__=x',
      'state, sessionId, room, identity, number, from, to, unmatched, project, cursor, limit',
    ],
    ['GET /voice/sessions/call-1?sessionId=x', 'project'],
    ['PUT /voice/sessions/call-1/disposition?room=x', 'project'],
    ['GET /voice/expectations?Project=x', 'state, project, cursor, limit'],
  ])('do not take a condition that nobody knows for none: %s', async (request, names) => {
    const name = /\?(.*)=/.exec(request)?.[1];
    const body = request.includes('disposition') ? { disposition: 'x' } : undefined;
    expect(await ask(request, body)).toMatchObject({
      status: 400,
      json: { message: `the query has \`${name}\`: only ${names} can stand there` },
    });
  });

  test('act on what the query says, without a body', async () => {
    const { status, json } = await ask(
      'POST /voice/deliveries/replay?state=done&handler=bill',
      undefined,
      '',
    );
    expect([status, json]).toEqual([200, { replayed: 1 }]);
  });
});
