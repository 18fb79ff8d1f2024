import { METHODS } from 'node:http';
import {
  ADAPTERS,
  bootHost,
  EVERYTHING,
  type Host,
  HostAuthGuard,
  type HostShape,
} from '../../support/host.js';
import { rawRequest } from '../../support/raw-http.js';
import { mintToken } from '../../support/signing.js';
import { NOW, webhook } from '../../support/webhook.js';

const SHAPES: [string, HostShape][] = [
  ['on its own', {}],
  ['in a host with everything global', EVERYTHING],
  ['in a host whose guard refuses all', { guard: new HostAuthGuard() }],
];

describe.each(ADAPTERS)('methods on %s', (adapter) => {
  describe.each(SHAPES)('%s', (_name, shape) => {
    let host: Host;

    beforeAll(async () => {
      host = await bootHost(adapter, shape);
    });

    afterAll(() => host.close());

    test.each(METHODS.filter((method) => !['POST', 'HEAD', 'CONNECT'].includes(method)))(
      '%s is not allowed, POST is',
      async (method) => {
        const before = host.receipts().length;
        const { status, headers, text } = await rawRequest(host.url, { method, path: host.path });
        expect([status, headers['allow'], text]).toEqual([405, 'POST', '{"status":"method_not_allowed"}']);
        expect(host.receipts().slice(before)).toMatchObject([{ outcome: 'method_not_allowed', status: 405 }]);
      },
    );

    test('HEAD is not allowed, and is told so without a body', async () => {
      const { status, headers, text } = await rawRequest(host.url, { method: 'HEAD', path: host.path });
      expect([status, headers['allow'], text]).toEqual([405, 'POST', '']);
    });

    test.each(['PUT', 'PATCH', 'DELETE'])('%s is not allowed whatever it carries', async (method) => {
      for (const body of [webhook(), '{"broken":']) {
        const headers = { 'Content-Type': 'application/json', Authorization: mintToken(body, NOW) };
        const { status, text } = await rawRequest(host.url, { method, path: host.path, headers, body });
        expect([status, text]).toEqual([405, '{"status":"method_not_allowed"}']);
      }
    });

    test('a slash at the end makes no difference', async () => {
      const path = `${host.path}/`;
      const before = host.receipts().length;
      expect((await host.deliver(webhook(), { path })).text).toBe((await host.deliver(webhook())).text);
      for (const method of ['GET', 'PUT', 'PROPFIND'])
        expect((await rawRequest(host.url, { method, path })).status).toBe(405);
      expect(host.receipts().slice(before)).toHaveLength(5);
    });

    test('a query string makes no difference', async () => {
      const path = `${host.path}?from=livekit`;
      expect((await rawRequest(host.url, { method: 'PROPFIND', path })).status).toBe(405);
      expect((await rawRequest(host.url, { method: 'GET', path })).status).toBe(405);
    });
  });

  test('a preflight is answered by the host that enables CORS', async () => {
    const host = await bootHost(adapter, { cors: true });
    const { status, headers } = await rawRequest(host.url, {
      method: 'OPTIONS',
      path: host.path,
      headers: { Origin: 'https://example.com', 'Access-Control-Request-Method': 'POST' },
    });
    expect([status, headers['access-control-allow-origin']]).toEqual([204, '*']);
    expect((await host.deliver(webhook())).status).toBe(200);
    await host.close();
  });
});

test.each([{ ignoreTrailingSlash: true }, { routerOptions: { ignoreTrailingSlash: true } }])(
  'a slash at the end makes no difference where the host has said so: %j',
  async (fastify) => {
    const host = await bootHost('fastify', { fastify });
    expect((await host.deliver(webhook(), { path: `${host.path}/` })).status).toBe(200);
    await host.close();
  },
);
