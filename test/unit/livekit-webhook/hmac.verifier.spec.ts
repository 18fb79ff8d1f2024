import { verifyHmac } from '../../../src/livekit-webhook/signatures/hmac.verifier.js';
import { hmacOf } from '../../support/signing.js';
import { NOW } from '../../support/webhook.js';
import { signedRequest, signingKey } from './signed-request.js';

const BODY = '{"event":"room_started"}';
const fresh = () => ({ json: JSON.parse(BODY) as unknown, occurredAt: NOW });
const MINUTE = 60_000;

describe('an HMAC', () => {
  test('is good with any of the keys, whatever their names', () => {
    const key = signingKey('the second', 'APIsecond');
    const keys = [signingKey('the first'), key];
    expect(verifyHmac(hmacOf(BODY, 'the second'), signedRequest(BODY, { keys }), fresh)).toEqual({ key });
  });

  test.each([
    ['lower case', (hex: string) => hex],
    ['upper case', (hex: string) => hex.toUpperCase()],
    ['the name of its hash before it', (hex: string) => `sha256=${hex}`],
    ['blanks around it', (hex: string) => `  ${hex} `],
  ])('may have %s', (_what, spell) => {
    expect(verifyHmac(spell(hmacOf(BODY)), signedRequest(BODY), fresh)).toHaveProperty('key');
  });

  test.each([
    '',
    'sha256=',
    'f'.repeat(63),
    'f'.repeat(65),
    'g'.repeat(64),
    `sha1=${'f'.repeat(64)}`,
    `${'f'.repeat(64)}\n1`,
  ])('that is %j is malformed', (signature) => {
    expect(verifyHmac(signature, signedRequest(BODY), fresh)).toEqual({ reason: 'malformed' });
  });

  test('with one digit changed is refused, whichever', () => {
    const hex = hmacOf(BODY);
    for (let at = 0; at < hex.length; at++) {
      const digit = hex[at] === '0' ? '1' : '0';
      const changed = hex.slice(0, at) + digit + hex.slice(at + 1);
      expect(verifyHmac(changed, signedRequest(BODY), fresh)).toEqual({ reason: 'signature' });
    }
  });

  test('of nobody we know is refused before its body is read', () => {
    const unread = () => {
      throw new Error('was read');
    };
    expect(verifyHmac(hmacOf(BODY, 'another'), signedRequest(BODY), unread)).toEqual({ reason: 'signature' });
    expect(verifyHmac(hmacOf(BODY), signedRequest(BODY, { keys: [] }), unread)).toEqual({
      reason: 'signature',
    });
  });

  test.each([[undefined], [null], ['text'], [1], [true], [[]], [[{}]]])(
    'over the JSON %j is refused',
    (json) => {
      const read = () => ({ json, occurredAt: NOW });
      expect(verifyHmac(hmacOf(BODY), signedRequest(BODY), read)).toEqual({ reason: 'not_an_object' });
    },
  );

  test.each([
    ['an event of now', NOW, undefined],
    ['an event of ten minutes ago', NOW - 10 * MINUTE, undefined],
    ['an event of a moment before', NOW - 10 * MINUTE - 1, 10 * MINUTE + 1],
    ['an event of tomorrow', NOW + 24 * 60 * MINUTE, undefined],
    ['an event that tells no time', undefined, undefined],
  ])('over %s', (_what, occurredAt, age) => {
    const verdict = verifyHmac(hmacOf(BODY), signedRequest(BODY), () => ({ json: {}, occurredAt }));
    if (age === undefined) expect(verdict).toHaveProperty('key');
    else expect(verdict).toEqual({ reason: 'stale', age });
  });
});
