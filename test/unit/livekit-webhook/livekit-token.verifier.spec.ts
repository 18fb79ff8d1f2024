import { AccessToken } from 'livekit-server-sdk';
import { verifyLivekitToken } from '../../../src/livekit-webhook/signatures/livekit-token.verifier.js';
import { CAPTURE_KEY, type CapturedDelivery, deliveries, scenarios } from '../../support/captures.js';
import { mintToken, sha256, TEST_KEY } from '../../support/signing.js';
import { NOW } from '../../support/webhook.js';
import { signedRequest, signingKey } from './signed-request.js';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BODY = '{"event":"room_started"}';
const SECONDS = NOW / 1000;

const verify = (token: string, more: Parameters<typeof signedRequest>[1] = {}) =>
  verifyLivekitToken(token, signedRequest(BODY, more));

describe("LiveKit's token", () => {
  test('is good with the key that its issuer names', () => {
    const key = signingKey(TEST_KEY.apiSecret, TEST_KEY.apiKey, 'mine');
    expect(verify(mintToken(BODY, NOW), { keys: [signingKey('another', 'APIother'), key] })).toEqual({ key });
  });

  test('is good as the official SDK makes it', async () => {
    const token = new AccessToken(TEST_KEY.apiKey, TEST_KEY.apiSecret, { ttl: 300 });
    token.sha256 = sha256(BODY, 'base64');
    expect(verify(await token.toJwt(), { now: Date.now() })).toHaveProperty('key');
  });

  test('is tried with every secret of its issuer, and with those of no name', () => {
    const nameless = signingKey();
    const keys = [signingKey('old', TEST_KEY.apiKey), signingKey('older', TEST_KEY.apiKey), nameless];
    expect(verify(mintToken(BODY, NOW), { keys })).toEqual({ key: nameless });
  });

  test('is never tried with the secret of another issuer', () => {
    const keys = [signingKey(TEST_KEY.apiSecret, 'APIother')];
    expect(verify(mintToken(BODY, NOW), { keys })).toEqual({ reason: 'unknown_key' });
    expect(verify(mintToken(BODY, NOW), { keys: [] })).toEqual({ reason: 'unknown_key' });
  });

  test('needs an issuer even where any will do', () => {
    for (const iss of [undefined, null, 1, {}]) {
      const token = mintToken(BODY, NOW, { claims: { iss } });
      expect(verify(token, { keys: [signingKey()] })).toEqual({ reason: 'claims' });
    }
  });

  test('is looked at for its secret before its claims: a stranger learns nothing of the clock', () => {
    const claims = { exp: 1, nbf: 2, sha256: 3 };
    expect(verify(mintToken(BODY, NOW, { claims, secret: 'another' }))).toEqual({ reason: 'signature' });
  });

  test.each([
    ['in time', 0, 300, undefined],
    ['for ten minutes', 0, 600, undefined],
    ['for a second more', 0, 601, { reason: 'lifetime' }],
    ['for no time', 0, 0, { reason: 'lifetime' }],
    ['backwards', 10, 0, { reason: 'lifetime' }],
    ['until as long ago as the clocks may differ', -300, -10, undefined],
    ['until longer ago', -300, -11, { reason: 'expired', skew: 11_000 }],
    ['from as far ahead as the clocks may differ', 10, 300, undefined],
    ['from further ahead', 11, 300, { reason: 'not_yet_valid', skew: 11_000 }],
    ['for fractions of a second', -0.5, 0.5, undefined],
  ])('that lives %s', (_how, from, until, failure) => {
    const token = mintToken(BODY, NOW, { claims: { nbf: SECONDS + from, exp: SECONDS + until } });
    const verdict = verify(token);
    if (failure === undefined) expect(verdict).toHaveProperty('key');
    else expect(verdict).toEqual(failure);
  });

  test('with a tolerance of nothing is good to the second', () => {
    const token = mintToken(BODY, NOW);
    expect(verify(token, { clockTolerance: 0, now: NOW + 300_000 })).toHaveProperty('key');
    expect(verify(token, { clockTolerance: 0, now: NOW + 300_001 })).toEqual({ reason: 'expired', skew: 1 });
    expect(verify(token, { clockTolerance: 0, now: NOW - 1 })).toEqual({ reason: 'not_yet_valid', skew: 1 });
  });

  test('need not say when it was made', () => {
    expect(verify(mintToken(BODY, NOW, { claims: { iat: undefined } }))).toHaveProperty('key');
  });

  test('has three parts, of which two are JSON objects, and nothing behind them', () => {
    const token = mintToken(BODY, NOW);
    const [header, payload, signature] = token.split('.');
    const others = [
      '',
      ...['null', '[]', '"text"', '5', '{'].map((json) => Buffer.from(json).toString('base64url')),
    ];
    const malformed = [
      `${token}.`,
      `${token}.${signature}`,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      ...others.map((other) => `${other}.${payload}.${signature}`),
      ...others.map((other) => `${header}.${other}.${signature}`),
    ];
    for (const wrong of malformed) expect([wrong, verify(wrong)]).toEqual([wrong, { reason: 'malformed' }]);
  });

  test('is good for its own bytes only', () => {
    const token = mintToken(BODY, NOW);
    for (const other of ['', `${BODY} `, BODY.slice(1)]) {
      expect(verifyLivekitToken(token, signedRequest(other))).toEqual({ reason: 'body_hash' });
    }
  });

  test.each(scenarios())('of %s is refused for every change of every one of its characters', (scenario) => {
    const [{ receivedAt, headers, body }] = deliveries(scenario) as [CapturedDelivery];
    const token = Object.fromEntries(headers)['Authorization'] ?? '';
    const { apiKey, apiSecret } = CAPTURE_KEY;
    const request = signedRequest(body, {
      keys: [signingKey(apiSecret, apiKey)],
      now: Date.parse(receivedAt),
    });
    expect(verifyLivekitToken(token, request)).toHaveProperty('key');
    const accepted: string[] = [];
    for (let at = 0; at < token.length; at++) {
      // Every spelling of the last character, where base64url has bits to spare; elsewhere two others will do.
      const others = at === token.length - 1 ? BASE64URL : 'Az';
      for (const other of others) {
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        if (changed !== token && 'key' in verifyLivekitToken(changed, request)) accepted.push(changed);
      }
    }
    expect(accepted).toEqual([]);
  });
});
