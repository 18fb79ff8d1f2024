import { createHmac } from 'node:crypto';
import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { rawRequest } from '../../support/raw-http.js';
import { hmacOf, mintToken, sha256, TEST_KEY, type TokenChanges } from '../../support/signing.js';
import { NOW, webhook } from '../../support/webhook.js';

const seconds = NOW / 1000;

/** Tokens that LiveKit would never send with a body, and why they are refused. */
const FORGED_TOKENS: [string, TokenChanges, string][] = [
  ['signed with another secret', { secret: 'another secret' }, 'signature'],
  ['signed with an empty secret', { secret: '' }, 'signature'],
  ['of another issuer', { claims: { iss: 'APIother' } }, 'unknown_key'],
  ['of no issuer', { claims: { iss: undefined } }, 'unknown_key'],
  ['whose issuer is a list', { claims: { iss: [TEST_KEY.apiKey] } }, 'unknown_key'],
  ['with alg none', { header: { alg: 'none' } }, 'algorithm'],
  ['with alg None', { header: { alg: 'None' } }, 'algorithm'],
  ['with alg hs256', { header: { alg: 'hs256' } }, 'algorithm'],
  ['with alg HS384', { header: { alg: 'HS384' }, hash: 'sha384' }, 'algorithm'],
  ['with alg HS512', { header: { alg: 'HS512' }, hash: 'sha512' }, 'algorithm'],
  ['with alg RS256', { header: { alg: 'RS256' } }, 'algorithm'],
  ['with alg as a list', { header: { alg: ['HS256'] } }, 'algorithm'],
  ['without alg', { header: { alg: undefined } }, 'malformed'],
  ['of HS512 that says HS256', { hash: 'sha512' }, 'signature'],
  ['with a critical header', { header: { crit: ['exp'] } }, 'critical_header'],
  ['with an empty critical header', { header: { crit: [] } }, 'critical_header'],
  ['that has expired', { claims: { nbf: seconds - 400, exp: seconds - 100 } }, 'expired'],
  ['that is not yet valid', { claims: { nbf: seconds + 100, exp: seconds + 400 } }, 'not_yet_valid'],
  ['that lives eleven minutes', { claims: { exp: seconds + 660 } }, 'lifetime'],
  ['that lives for ever', { claims: { exp: 9e15 } }, 'lifetime'],
  ['that ends before it begins', { claims: { nbf: seconds + 5, exp: seconds } }, 'lifetime'],
  ['that ends as it begins', { claims: { exp: seconds } }, 'lifetime'],
  ['without exp', { claims: { exp: undefined } }, 'claims'],
  ['without nbf', { claims: { nbf: undefined } }, 'claims'],
  ['without sha256', { claims: { sha256: undefined } }, 'claims'],
  ['whose exp is text', { claims: { exp: String(seconds + 300) } }, 'claims'],
  ['whose nbf is text', { claims: { nbf: String(seconds) } }, 'claims'],
  ['whose exp is null', { claims: { exp: null } }, 'claims'],
  ['whose exp is NaN, which JSON writes as null', { claims: { exp: Number.NaN } }, 'claims'],
  ['whose exp is a list', { claims: { exp: [seconds + 300] } }, 'claims'],
  ['whose exp is true', { claims: { exp: true } }, 'claims'],
  ['whose nbf is an object', { claims: { nbf: {} } }, 'claims'],
  ['whose iat is text', { claims: { iat: 'now' } }, 'claims'],
  ['whose sha256 is a list', { claims: { sha256: [sha256('', 'base64')] } }, 'claims'],
  ['whose sha256 is null', { claims: { sha256: null } }, 'claims'],
  ['whose sha256 is empty', { claims: { sha256: '' } }, 'body_hash'],
  ['of another body', { claims: { sha256: sha256('another body', 'base64') } }, 'body_hash'],
  ['whose sha256 is hex', { claims: { sha256: sha256(webhook({ id: 'EV_hex' })) } }, 'body_hash'],
];

const GOOD_TOKEN = mintToken(webhook(), NOW);
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = GOOD_TOKEN.split('.');

/** Headers that hold no token at all. */
const GARBAGE: string[] = [
  '',
  ' ',
  'Bearer',
  'Bearer ',
  'garbage',
  '.',
  '..',
  '...',
  `${HEADER}.${PAYLOAD}`,
  `${HEADER}.${PAYLOAD}.`,
  `.${PAYLOAD}.${SIGNATURE}`,
  `${GOOD_TOKEN}.${SIGNATURE}`,
  `${GOOD_TOKEN},${GOOD_TOKEN}`,
  `Bearer Bearer ${GOOD_TOKEN}`,
  `Basic ${Buffer.from('user:password').toString('base64')}`,
  `${Buffer.from('null').toString('base64url')}.${PAYLOAD}.${SIGNATURE}`,
  `${Buffer.from('[]').toString('base64url')}.${PAYLOAD}.${SIGNATURE}`,
  `${HEADER}.${Buffer.from('"text"').toString('base64url')}.${SIGNATURE}`,
  `${HEADER}.${Buffer.from('{broken').toString('base64url')}.${SIGNATURE}`,
  `${HEADER}.${PAYLOAD.slice(0, 8)}\u00ff${PAYLOAD.slice(8)}.${SIGNATURE}`,
  'x'.repeat(8_000),
];

describe.each(ADAPTERS)('forgeries on %s', (adapter) => {
  let host: Host;

  const deliver = async (body: Buffer | string, headers: Record<string, string | null>) => {
    const { status, text } = await host.deliver(body, { headers });
    return [status, text];
  };
  const byHmac = (body: Buffer | string, signature: string) =>
    deliver(body, { authorization: null, 'x-livekit-signature': signature });
  const expectRefused = (reason: string) =>
    expect(host.receipts().at(-1)).toMatchObject({ outcome: 'unauthorized', reason, status: 401 });
  const REFUSED = [401, '{"status":"unauthorized"}'];
  const ACCEPTED = [200, '{"status":"accepted"}'];

  beforeAll(async () => {
    host = await bootHost(adapter);
  });

  beforeEach(() => {
    host.clock.set(NOW);
    host.logger.lines.length = 0;
  });

  afterAll(async () => {
    expect(await host.rows('SELECT sha256 FROM livekit_quarantine')).toEqual([]);
    await host.close();
  });

  test.each(FORGED_TOKENS)('a token %s is refused', async (_what, changes, reason) => {
    const body = webhook();
    expect(await deliver(body, { authorization: mintToken(body, NOW, changes) })).toEqual(REFUSED);
    expectRefused(reason);
  });

  test.each(GARBAGE)('the header %j is refused', async (authorization) => {
    const body = webhook();
    const answer = await rawRequest(host.url, {
      path: host.path,
      headers: { Authorization: authorization },
      body,
    });
    expect([answer.status, answer.text]).toEqual(REFUSED);
    expect(host.receipts().at(-1)).toMatchObject({ outcome: 'unauthorized' });
  });

  test('no header at all is refused', async () => {
    expect(await deliver(webhook(), { authorization: null })).toEqual(REFUSED);
    expectRefused('missing');
  });

  test("a good token over another delivery's body is refused", async () => {
    expect(await deliver(webhook({ id: 'EV_other' }), { authorization: mintToken(webhook(), NOW) })).toEqual(
      REFUSED,
    );
    expectRefused('body_hash');
  });

  test("a participant's access token, which has no hash of a body, is refused", async () => {
    const body = webhook();
    const claims = { sha256: undefined, video: { roomJoin: true, room: 'call-1' }, sub: 'caller-1' };
    expect(await deliver(body, { authorization: mintToken(body, NOW, { claims }) })).toEqual(REFUSED);
    expectRefused('claims');
  });

  test("a participant's access token turned into an HMAC pair is refused, and nothing of it is kept", async () => {
    const [header, payload, signature = ''] = mintToken('', NOW).split('.');
    const body = `${header}.${payload}`;
    const hex = Buffer.from(signature, 'base64url').toString('hex');
    expect(hex).toBe(createHmac('sha256', TEST_KEY.apiSecret).update(body).digest('hex'));
    expect(await byHmac(body, hex)).toEqual(REFUSED);
    expectRefused('not_an_object');
  });

  test.each([
    ['a list', '[]'],
    ['a text', '"text"'],
    ['null', 'null'],
    ['nothing', ''],
  ])('an HMAC over %s is refused, and nothing of it is kept', async (_what, body) => {
    expect(await byHmac(body, hmacOf(body))).toEqual(REFUSED);
    expectRefused('not_an_object');
  });

  test.each<[string, (body: string) => string]>([
    ['with another secret', (body) => hmacOf(body, 'another secret')],
    ['with an empty secret', (body) => hmacOf(body, '')],
    ['of another body', () => hmacOf(webhook())],
    ['cut short', (body) => hmacOf(body).slice(0, 32)],
    ['with more behind it', (body) => `${hmacOf(body)}00`],
    ['in base64', (body) => Buffer.from(hmacOf(body), 'hex').toString('base64')],
    ['of another name', (body) => `sha512=${hmacOf(body)}`],
    ['twice', (body) => `${hmacOf(body)}, ${hmacOf(body)}`],
    ['that is garbage', () => 'z'.repeat(64)],
    ['that is empty', () => ''],
  ])('an HMAC %s is refused', async (_what, signatureOf) => {
    const body = webhook();
    expect(await byHmac(body, signatureOf(body))).toEqual(REFUSED);
    expect(host.receipts().at(-1)).toMatchObject({ outcome: 'unauthorized' });
  });

  test('an HMAC is good for ten minutes from the time its event tells', async () => {
    const body = webhook();
    host.clock.set(NOW + 10 * 60_000 + 1);
    expect(await byHmac(body, hmacOf(body))).toEqual(REFUSED);
    expectRefused('stale');
    expect(host.receipts().at(-1)?.['detail']).toMatch(/^the event is 600 s old/); // the clocks are not to blame
    host.clock.set(NOW + 10 * 60_000);
    expect(await byHmac(body, hmacOf(body))).toEqual(ACCEPTED);
  });

  test('an HMAC may be in upper case, and named', async () => {
    for (const spell of [
      (hex: string) => hex.toUpperCase(),
      (hex: string) => `sha256=${hex}`,
      (hex: string) => `SHA256=${hex.toUpperCase()}`,
    ]) {
      const body = webhook();
      expect(await byHmac(body, spell(hmacOf(body)))).toEqual(ACCEPTED);
    }
  });

  test('a token may stand behind Bearer, however that is written', async () => {
    for (const word of ['Bearer ', 'bearer ', 'BEARER   ']) {
      const body = webhook();
      expect(await deliver(body, { authorization: word + mintToken(body, NOW) })).toEqual(ACCEPTED);
    }
  });

  test('of two signatures, Authorization decides', async () => {
    const body = webhook();
    const forged = mintToken(body, NOW, { secret: 'another secret' });
    expect(await deliver(body, { authorization: forged, 'x-livekit-signature': hmacOf(body) })).toEqual(
      REFUSED,
    );
    expectRefused('signature');
    expect(
      await deliver(body, { authorization: mintToken(body, NOW), 'x-livekit-signature': 'f'.repeat(64) }),
    ).toEqual(ACCEPTED);
  });

  test("LiveKit's clock may be ten seconds off, and no more", async () => {
    const body = webhook();
    const authorization = mintToken(body, NOW); // from NOW on, for five minutes
    for (const [time, reason] of [
      [NOW - 10_001, 'not_yet_valid'],
      [NOW + 310_001, 'expired'],
    ] as const) {
      host.clock.set(time);
      expect(await deliver(body, { authorization })).toEqual(REFUSED);
      expectRefused(reason);
      expect(host.receipts().at(-1)?.['detail']).toMatch(/^10 s outside its life/);
    }
    host.clock.set(NOW - 10_000);
    expect(await deliver(body, { authorization })).toEqual(ACCEPTED);
    host.clock.set(NOW + 310_000);
    expect(await deliver(body, { authorization })).toEqual([200, '{"status":"duplicate"}']);
  });

  test('after them all, a good delivery is accepted', async () => {
    expect((await host.deliver(webhook())).status).toBe(200);
  });
});
