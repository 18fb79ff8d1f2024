import { CAPTURE_KEY, deliveries, scenarios } from '../../support/captures.js';
import { ADAPTERS, bootHost, type Host, HostAuthGuard, type HostShape } from '../../support/host.js';
import { rawRequest } from '../../support/raw-http.js';
import { hmacOf, mintToken, TEST_KEY } from '../../support/signing.js';
import { newId, NOW, webhook } from '../../support/webhook.js';

/** What must not be in a log, should it be in a body. */
const PRIVATE = {
  turnPassword: 'the-turn-password',
  attribute: 'the-attribute-value',
  metadata: 'the-metadata',
  name: 'the-participant-name',
};

const privateWebhook = (fields: Record<string, unknown> = {}): string =>
  webhook({
    room: { sid: 'RM_1', name: 'call-1', turnPassword: PRIVATE.turnPassword, metadata: PRIVATE.metadata },
    participant: {
      sid: 'PA_1',
      identity: 'caller-1',
      name: PRIVATE.name,
      metadata: PRIVATE.metadata,
      attributes: { 'sip.phoneNumber': PRIVATE.attribute },
    },
    ...fields,
  });

describe.each(ADAPTERS)('the log on %s', (adapter) => {
  let host: Host;

  const boot = async (shape: HostShape = {}) => {
    host = await bootHost(adapter, shape);
  };
  const tokens: string[] = [];
  const deliver = (body: string, how?: Parameters<Host['deliver']>[1]) => {
    tokens.push(mintToken(body, host.clock.now(), how?.token), hmacOf(body));
    return host.deliver(body, how);
  };
  const expectNothingPrivate = () => {
    const everything = host.logger.text();
    for (const secret of [...Object.values(PRIVATE), TEST_KEY.apiSecret, ...tokens]) {
      expect(everything).not.toContain(secret);
    }
    expect(everything).not.toMatch(/eyJ/); // how every JWT begins
  };

  afterEach(() => host.close());

  test('has one line for a delivery, with its identifiers', async () => {
    await boot();
    const id = newId();
    await deliver(privateWebhook({ id }));
    expect(host.receipts()).toEqual([
      {
        message: 'webhook',
        outcome: 'accepted',
        event: 'participant_joined',
        id,
        room: 'call-1',
        project: 'default',
        scheme: 'livekit',
        status: 200,
        milliseconds: expect.any(Number),
      },
    ]);
    expectNothingPrivate();
  });

  test('has one line for every request, whatever became of it, and nothing private in any', async () => {
    await boot();
    const body = privateWebhook();
    const byHmac = (text: string) => ({
      headers: { authorization: null, 'x-livekit-signature': hmacOf(text) },
    });
    await deliver(body);
    await deliver(body);
    await deliver(body.replace('call-1', 'call-2'));
    await deliver(privateWebhook({ event: 'room_started' }));
    await deliver(privateWebhook({ event: 'moon_landed' }));
    await deliver(privateWebhook(), byHmac('another'));
    await deliver(privateWebhook({ createdAt: 1 }), byHmac(privateWebhook({ createdAt: 1 })));
    await deliver(privateWebhook({ createdAt: 'never' }));
    await deliver(`${PRIVATE.metadata} and no JSON`);
    await deliver(privateWebhook(), { headers: { authorization: null } });
    await deliver(privateWebhook(), { token: { secret: 'another' } });
    await deliver(privateWebhook(), { token: { claims: { nbf: NOW / 1000 + 60, exp: NOW / 1000 + 120 } } });
    await deliver(privateWebhook(), { headers: { 'content-encoding': 'gzip' } });
    await deliver(privateWebhook({ padding: 'x'.repeat(1024 * 1024) }));
    await rawRequest(host.url, { method: 'PUT', path: host.path, body });
    await host.rows('DROP TABLE livekit_bodies');
    await deliver(privateWebhook());
    expect(
      host.receipts().map(({ outcome, reason }) => (reason ? `${outcome}: ${reason}` : outcome)),
    ).toEqual([
      'accepted',
      'duplicate',
      'conflict',
      'unsubscribed',
      'unknown',
      'unauthorized: signature',
      'unauthorized: signature',
      'invalid',
      'invalid',
      'unauthorized: missing',
      'unauthorized: signature',
      'unauthorized: not_yet_valid',
      'unsupported_encoding',
      'too_large',
      'method_not_allowed',
      'store_failed',
    ]);
    for (const line of host.receipts()) {
      for (const value of Object.values(line)) expect(['string', 'number']).toContain(typeof value);
    }
    expectNothingPrivate();
  });

  test('is as loud as what happened: told, warned of, or an error to mend', async () => {
    await boot();
    await deliver(privateWebhook());
    await deliver('no event');
    await host.rows('DROP TABLE livekit_bodies');
    await deliver(privateWebhook());
    const levels = host.logger.lines
      .filter(({ message }) => host.receipts().includes(message as Record<string, unknown>))
      .map(({ level }) => level);
    expect(levels).toEqual(['log', 'warn', 'error']);
  });

  test('names what to mend', async () => {
    await boot();
    const details: [Parameters<Host['deliver']>[1], RegExp][] = [
      [{ headers: { authorization: null } }, /a proxy drops the Authorization header/],
      [{ token: { claims: { iss: 'APIother' } } }, /API key that is not configured here/],
      [{ token: { secret: 'another' } }, /another secret/],
      [{ token: { claims: { sha256: '' } } }, /something in between changes it/],
      [{ token: { claims: { nbf: NOW / 1000 - 100, exp: NOW / 1000 - 70 } } }, /^70 s outside its life/],
      [{ headers: { 'content-encoding': 'gzip' } }, /the proxy in between/],
    ];
    for (const [how, detail] of details) {
      await deliver(privateWebhook(), how);
      expect(host.receipts().at(-1)?.['detail']).toMatch(detail);
    }
    await deliver(privateWebhook({ room: { sid: PRIVATE.metadata.repeat(100) } }));
    expect(host.receipts().at(-1)?.['detail']).toMatch(/`room` is not what a webhook event has there/);
    expectNothingPrivate();
  });

  test('has nothing private when a guard of the host refuses', async () => {
    await boot({ guard: new HostAuthGuard() });
    await deliver(privateWebhook());
    expect(host.receipts()).toMatchObject([{ outcome: 'host_refused' }]);
    expectNothingPrivate();
  });

  test('has nothing private of real calls', async () => {
    await boot({ webhooks: CAPTURE_KEY });
    const secrets = new Set<string>([CAPTURE_KEY.apiSecret]);
    for (const { receivedAt, headers, body } of scenarios().flatMap(deliveries)) {
      host.clock.set(receivedAt);
      const token = Object.fromEntries(headers)['Authorization'] ?? '';
      expect((await host.deliver(body, { headers: { authorization: token } })).status).toBe(200);
      const { room = {}, participant = {} } = JSON.parse(body);
      for (const value of [
        token,
        room.turnPassword,
        ...Object.values<string>(participant.attributes ?? {}),
      ]) {
        if (value?.length > 6) secrets.add(value);
      }
    }
    const everything = host.logger.text();
    expect([...secrets].filter((secret) => everything.includes(secret))).toEqual([]);
  });
});
