import { ADAPTERS, bootHost, EVERYTHING, type Host, HOST_TOKEN, type HostShape } from '../../support/host.js';
import { type RawRequest, rawRequest } from '../../support/raw-http.js';

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** What is asked of a host's own routes, with and without our module in it. */
const QUESTIONS: [string, RawRequest][] = [
  ['a GET', { method: 'GET', path: '/host' }],
  ['a JSON body', { path: '/host/echo', headers: JSON_TYPE, body: '{ "n": 1 }' }],
  ['a body the pipe refuses', { path: '/host/echo', headers: JSON_TYPE, body: '{"n":"x","m":1}' }],
  ['broken JSON', { path: '/host/echo', headers: JSON_TYPE, body: '{"n":' }],
  [
    'a JSON body too large',
    { path: '/host/echo', headers: JSON_TYPE, body: `{"n":"${'x'.repeat(1_100_000)}"}` },
  ],
  [
    'a form',
    { path: '/host/echo', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'a=1&b=2' },
  ],
  [
    'a content type nobody parses',
    { path: '/host/echo', headers: { 'Content-Type': 'application/webhook+json' }, body: '{"n":1}' },
  ],
  ['no content type', { path: '/host/echo', body: '{"n":1}' }],
  ['an empty body', { path: '/host/echo', headers: JSON_TYPE, body: '' }],
  [
    'a compressed body that is none',
    { path: '/host/echo', headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, body: '{}' },
  ],
  ['a method it lacks', { method: 'DELETE', path: '/host/echo' }],
  ['a method nobody has', { method: 'PROPFIND', path: '/host/echo' }],
  ['a path nobody has', { method: 'GET', path: '/nowhere' }],
  ['a path below ours', { path: '/voice/livekit/webhooks/below', headers: JSON_TYPE, body: '{}' }],
];

const SHAPES: [string, HostShape][] = [
  ['a plain host', {}],
  ['a host that keeps raw bodies', { rawBody: true }],
  ['a host with a parser of its own', { ownParser: true }],
  ['a host with everything global', EVERYTHING],
];

describe.each(ADAPTERS)("a host's own routes on %s", (adapter) => {
  describe.each(SHAPES)('%s', (_name, shape) => {
    let withUs: Host;
    let withoutUs: Host;

    beforeAll(async () => {
      withoutUs = await bootHost(adapter, { ...shape, webhooks: null });
      withUs = await bootHost(adapter, shape);
    });

    afterAll(async () => {
      await withUs.close();
      await withoutUs.close();
    });

    test.each(QUESTIONS)('%s is answered as without us', async (_what, { path, headers, ...request }) => {
      const asked = {
        ...request,
        path: [shape.globalPrefix, shape.uriVersioning && 'v1'].reduceRight<string>(
          (rest, part) => (part ? `/${part}${rest}` : rest),
          path,
        ),
        headers: { ...headers, 'X-Host-Token': HOST_TOKEN },
      };
      const expected = await rawRequest(withoutUs.url, asked);
      const answer = await rawRequest(withUs.url, asked);
      expect([answer.status, answer.text]).toEqual([expected.status, expected.text]);
      expect(withoutDate(answer.headers)).toEqual(withoutDate(expected.headers));
    });
  });

  test('the routes really get their bodies, raw ones among them', async () => {
    const host = await bootHost(adapter, { rawBody: true });
    const { text } = await rawRequest(host.url, {
      path: '/host/echo',
      headers: JSON_TYPE,
      body: '{ "n": 1 }',
    });
    expect(JSON.parse(text)).toEqual({ body: { n: 1 }, rawBody: '{ "n": 1 }' });
    await host.close();
  });
});

const withoutDate = ({ date: _, ...headers }: Record<string, string>): Record<string, string> => headers;
