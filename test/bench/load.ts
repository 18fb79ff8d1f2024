import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { nextBody } from './bodies.js';
import { API_KEY, API_SECRET, PATH } from './keys.js';

/** A delivery, signed and ready to be sent. */
export interface Signed {
  body: string;
  headers: Record<string, string>;
}

/** What a slot of load has shown. */
export interface Load {
  requestsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  accepted: number;
}

/** Real-shaped deliveries, each with an event id of its own, under fresh tokens. */
export const signedDeliveries = (count: number): Signed[] =>
  signedOf(Array.from({ length: count }, () => nextBody().body));

/** Deliveries of these bodies, under fresh tokens. */
export const signedOf = (bodies: Iterable<string>): Signed[] =>
  Array.from(bodies, (body) => ({
    body,
    headers: signWebhook(body, { apiKey: API_KEY, apiSecret: API_SECRET }),
  })).toReversed(); // they are taken from the end

/** How often those look that are to wait, milliseconds. */
const WAIT = 5;

/**
 * Sends for some milliseconds over as many connections as `concurrency`, each one delivery at a time, and each to one of the
 * servers.
 *
 * @param waits whether nothing is to be sent now.
 * @throws Error when one is not answered 200, or when the deliveries run out.
 */
export async function send(
  urls: readonly string[],
  deliveries: Signed[],
  concurrency: number,
  duration: number,
  waits: () => boolean = () => false,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const latencies: number[] = [];
  const start = performance.now();
  const client = async (_: unknown, nth: number) => {
    const url = urls[nth % urls.length] as string;
    while (performance.now() - start < duration) {
      if (waits()) {
        await delay(WAIT);
        continue;
      }
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

function post(url: string, agent: Agent, { body, headers: own }: Signed): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { ...own, 'Content-Length': Buffer.byteLength(body) };
    request(url + PATH, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end(body);
  });
}
