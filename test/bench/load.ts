import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { API_KEY, API_SECRET, PATH } from './contestants.js';

/** A delivery, signed and ready to be sent. */
interface Signed {
  body: string;
  token: string;
}

/** What a slot of load has shown. */
export interface Measure {
  requestsPerSecond: number;
  p50: number;
  p99: number;
  accepted: number;
}

const BODIES = readFileSync('captures/twelve-calls-at-once.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { body: string }).body);

let made = 0;

/** Real-shaped deliveries, each with an event id of its own, under fresh tokens. */
export const signedDeliveries = (count: number): Signed[] =>
  Array.from({ length: count }, () => {
    made += 1;
    const body = (BODIES[made % BODIES.length] ?? '').replace(/"id":"EV_\w+"/, `"id":"EV_${made}"`);
    return { body, token: sign(body) };
  });

/**
 * Sends for some milliseconds over as many connections as `concurrency`, each one delivery at a time.
 *
 * @throws Error when one is not answered 200, or when the deliveries run out.
 */
export async function send(
  url: string,
  deliveries: Signed[],
  concurrency: number,
  duration: number,
): Promise<Measure> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const latencies: number[] = [];
  const start = performance.now();
  const client = async () => {
    while (performance.now() - start < duration) {
      const delivery = deliveries.pop();
      if (delivery === undefined) throw new Error('the deliveries ran out: sign more of them');
      const sent = performance.now();
      const status = await post(url, agent, delivery);
      if (status !== 200) throw new Error(`a delivery was answered ${status}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  const elapsed = (performance.now() - start) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.floor((latencies.length - 1) * q)] ?? 0;
  return {
    requestsPerSecond: latencies.length / elapsed,
    p50: quantile(0.5),
    p99: quantile(0.99),
    accepted: latencies.length,
  };
}

function post(url: string, agent: Agent, { body, token }: Signed): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/webhook+json',
      'content-length': Buffer.byteLength(body),
      authorization: token,
    };
    request(url + PATH, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end(body);
  });
}

function sign(body: string): string {
  const now = Math.floor(Date.now() / 1000);
  const sha256 = createHash('sha256').update(body).digest('base64');
  const content = [
    { alg: 'HS256', typ: 'JWT' },
    { iss: API_KEY, exp: now + 300, nbf: now, iat: now, sha256 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${createHmac('sha256', API_SECRET).update(content).digest('base64url')}`;
}
