import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { hmacOf, mintToken } from '../../support/signing.js';
import { newId, NOW, webhook } from '../../support/webhook.js';

const NORTH = { name: 'north', apiKey: 'APInorth', apiSecret: 'the-secret-of-the-north' };
const SOUTH = { name: 'south', apiKey: 'APIsouth', apiSecret: 'the-secret-of-the-south' };
const ISLAND = {
  name: 'island',
  apiKey: 'APIisland',
  apiSecret: 'the-secret-of-the-island',
  path: '/island/hooks',
};

interface Key {
  apiKey: string;
  apiSecret: string;
}

describe.each(ADAPTERS)('whose event it is on %s', (adapter) => {
  let host: Host;

  const deliver = async (body: string, { apiKey, apiSecret }: Key, path?: string) => {
    const authorization = mintToken(body, NOW, { secret: apiSecret, claims: { iss: apiKey } });
    const { status, text } = await host.deliver(body, { headers: { authorization }, ...(path && { path }) });
    return [status, JSON.parse(text).status];
  };
  const byHmac = async (body: string, { apiSecret }: Key, path?: string) => {
    const headers = { authorization: null, 'x-livekit-signature': hmacOf(body, apiSecret) };
    const { status, text } = await host.deliver(body, { headers, ...(path && { path }) });
    return [status, JSON.parse(text).status];
  };
  const sources = async (id: string) =>
    (
      await host.rows<{ source: string }>(
        'SELECT source FROM livekit_events WHERE event_id = ? ORDER BY seq',
        [id],
      )
    ).map(({ source }) => source);

  afterEach(() => host.close());

  describe('with several projects', () => {
    beforeEach(async () => {
      host = await bootHost(adapter, { globalPrefix: 'api', webhooks: { projects: [NORTH, SOUTH, ISLAND] } });
    });

    test("on the common path the token's issuer tells", async () => {
      const id = newId();
      const body = webhook({ id });
      expect(await deliver(body, NORTH)).toEqual([200, 'accepted']);
      expect(await deliver(body, SOUTH)).toEqual([200, 'accepted']);
      expect(await deliver(body, SOUTH)).toEqual([200, 'duplicate']);
      expect(await sources(id)).toEqual(['north', 'south']);
      expect(host.receipts().map(({ project }) => project)).toEqual(['north', 'south', 'south']);
    });

    test('an issuer can sign for itself only', async () => {
      const body = webhook();
      expect(await deliver(body, { apiKey: NORTH.apiKey, apiSecret: SOUTH.apiSecret })).toEqual([
        401,
        'unauthorized',
      ]);
      expect(host.receipts().at(-1)).toMatchObject({ reason: 'signature' });
    });

    test('a path of its own is for its project only, and its project for that path', async () => {
      const id = newId();
      const body = webhook({ id });
      expect(await deliver(body, ISLAND, '/api/island/hooks')).toEqual([200, 'accepted']);
      expect(await deliver(body, ISLAND)).toEqual([401, 'unauthorized']);
      expect(await deliver(body, NORTH, '/api/island/hooks')).toEqual([401, 'unauthorized']);
      expect(await sources(id)).toEqual(['island']);
    });

    test('a path that looks like another one behind the prefix is itself', async () => {
      await host.close();
      const own = { ...ISLAND, path: '/eu/hooks' };
      host = await bootHost(adapter, {
        globalPrefix: 'eu',
        webhooks: { path: '/hooks', projects: [NORTH, own] },
      });
      expect(await deliver(webhook(), NORTH, '/eu/hooks')).toEqual([200, 'accepted']);
      expect(await deliver(webhook(), own, '/eu/hooks')).toEqual([401, 'unauthorized']);
      expect(await deliver(webhook(), own, '/eu/eu/hooks')).toEqual([200, 'accepted']);
    });

    test('an HMAC tries the secrets of its path', async () => {
      const id = newId();
      const body = webhook({ id });
      expect(await byHmac(body, SOUTH)).toEqual([200, 'accepted']);
      expect(await byHmac(body, ISLAND)).toEqual([401, 'unauthorized']);
      expect(await byHmac(body, ISLAND, '/api/island/hooks')).toEqual([200, 'accepted']);
      expect(await sources(id)).toEqual(['south', 'island']);
    });

    test('what is no event is kept under its project', async () => {
      expect(await deliver('no event', SOUTH)).toEqual([400, 'invalid']);
      expect(await host.rows('SELECT source FROM livekit_quarantine')).toEqual([{ source: 'south' }]);
    });
  });

  test('while a secret is rotated, the old one and the new one are good', async () => {
    const apiKey = 'APIkey';
    const [old, fresh] = ['the-old-secret', 'the-new-secret'];
    host = await bootHost(adapter, {
      webhooks: { keys: [old, fresh].map((apiSecret) => ({ apiKey, apiSecret })) },
    });
    for (const apiSecret of [old, fresh]) {
      expect(await deliver(webhook(), { apiKey, apiSecret })).toEqual([200, 'accepted']);
      expect(await byHmac(webhook(), { apiKey, apiSecret })).toEqual([200, 'accepted']);
    }
    expect(await deliver(webhook(), { apiKey, apiSecret: 'a-third-one' })).toEqual([401, 'unauthorized']);
    expect(await deliver(webhook(), { apiKey: 'APIother', apiSecret: old })).toEqual([401, 'unauthorized']);
  });

  test('without a key, whoever has the secret is welcome under any name', async () => {
    host = await bootHost(adapter, { webhooks: { keys: [{ apiSecret: 'only-a-secret' }] } });
    for (const apiKey of ['APIone', 'APItwo']) {
      expect(await deliver(webhook(), { apiKey, apiSecret: 'only-a-secret' })).toEqual([200, 'accepted']);
    }
    expect(await deliver(webhook(), { apiKey: 'APIone', apiSecret: 'another' })).toEqual([
      401,
      'unauthorized',
    ]);
  });

  test.each([
    ['livekit', [200, 'accepted'], [401, 'unauthorized']],
    ['hmac', [401, 'unauthorized'], [200, 'accepted']],
  ] as const)('with the scheme %s alone, the other is not looked at', async (scheme, livekit, hmac) => {
    host = await bootHost(adapter, { webhooks: { projects: [NORTH], signatures: [scheme] } });
    expect(await deliver(webhook(), NORTH)).toEqual(livekit);
    expect(await byHmac(webhook(), NORTH)).toEqual(hmac);
  });
});
