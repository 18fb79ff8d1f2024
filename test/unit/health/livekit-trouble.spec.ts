import { livekitTrouble } from '../../../src/health/livekit-trouble.js';
import { LivekitCallError } from '../../../src/sessions/reconciliation/asking.js';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJBUEkifQ.c2lnbmF0dXJl';

const answered = (status: number, message: string) => Object.assign(new Error(message), { status });
const failed = (code: string) => Object.assign(new TypeError('fetch failed'), { cause: { code } });
const timedOut = Object.assign(new Error('aborted'), { name: 'TimeoutError' });

test.each<[string, unknown, RegExp]>([
  [
    'a wrong key',
    answered(401, 'invalid API key: APIother'),
    /refuses our API key, or its secret \(401\).*`keys`/,
  ],
  [
    'a wrong secret',
    answered(401, `invalid token: ${TOKEN}, error: cryptographic primitive`),
    /or its secret/,
  ],
  [
    'a clock behind',
    answered(401, `invalid token: ${TOKEN}, error: token not valid yet (nbf)`),
    /clock.*apart/,
  ],
  ['a clock ahead', answered(401, `invalid token: ${TOKEN}, error: token is expired (exp)`), /clock.*apart/],
  ['a key with few rights', answered(403, 'permissions denied'), /list rooms \(403\)/],
  ['another server', answered(404, 'not found'), /no API there \(404\).*livekitUrl/],
  ['too many calls', answered(429, 'slow down'), /reconcileInterval/],
  ['a proxy without LiveKit', answered(502, 'bad gateway'), /answers 502: .*proxy/],
  ['a server that fails', answered(500, 'internal'), /answers 500: .*logs/],
  ['something else', answered(302, 'moved'), /answers 302: .*livekitUrl/],
  ['nobody there', failed('ECONNREFUSED'), /reached \(ECONNREFUSED\): .*LIVEKIT_URL/],
  ['no such name', failed('ENOTFOUND'), /reached \(ENOTFOUND\)/],
  ['a certificate of its own', failed('DEPTH_ZERO_SELF_SIGNED_CERT'), /NODE_EXTRA_CA_CERTS/],
  ['no answer', timedOut, /does not answer in time: .*firewall/],
])('%s is told, with its cure and without a token', (_what, error, words) => {
  const told = livekitTrouble(new LivekitCallError(error));
  expect(told).toMatch(words);
  expect(told).not.toContain('eyJ');
});
