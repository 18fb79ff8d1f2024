import { setTimeout as delay } from 'node:timers/promises';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { nextBody } from './bodies.js';
import { Connection, requestOf } from './connection.js';
import { API_KEY, API_SECRET } from './keys.js';

/** What a slot of load has shown. */
export interface Load {
  requestsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  accepted: number;
}

/** Gives one request after another, as long as there are any. */
export type Requests = () => Buffer | undefined;

/** A request that delivers a body, under a fresh token. */
export const signed = (body: string): Buffer =>
  requestOf(body, signWebhook(body, { apiKey: API_KEY, apiSecret: API_SECRET }));

/** Requests that deliver these bodies, all signed by now. */
export function signedAll(bodies: Iterable<string>): Requests {
  const requests = Array.from(bodies, signed).values();
  return () => requests.next().value;
}

/** Requests that deliver real-shaped bodies, each with an event id of its own. */
export const signedFresh = (count: number): Requests =>
  signedAll(Array.from({ length: count }, () => nextBody().body));

/** How often those look that are to wait, milliseconds. */
const WAIT = 5;

/** How a load is sent. */
export interface Sending {
  /** Connections that send at once, each one request at a time. */
  connections: number;
  /** Milliseconds. */
  duration: number;
  /** Whether nothing is to be sent now. */
  waits?: () => boolean;
  /** What a request is to be answered, 200 unless told. */
  status?: number;
}

/**
 * Sends for some milliseconds, as fast as it is answered, each connection to one of the servers.
 *
 * @param next gives the requests; the bench fails when there are none left.
 * @throws Error when one is answered otherwise.
 */
export async function send(
  urls: readonly string[],
  next: Requests,
  { connections, duration, waits = () => false, status = 200 }: Sending,
): Promise<Load> {
  return measured(urls, connections, async (connection, start, latencies) => {
    while (performance.now() - start < duration) {
      if (waits()) {
        await delay(WAIT);
        continue;
      }
      const sent = performance.now();
      await expectAnswer(connection, next(), status);
      latencies.push(performance.now() - sent);
    }
  });
}

/**
 * Sends so many requests a second, whether they are answered in time or not: one that has to wait for a connection waits as
 * its sender would, and that is part of its latency.
 *
 * @throws Error when one is answered otherwise than 200.
 */
export async function sendAtRate(
  url: string,
  next: Requests,
  perSecond: number,
  { connections, duration }: Pick<Sending, 'connections' | 'duration'>,
): Promise<Load> {
  const count = Math.floor((perSecond * duration) / 1000);
  let taken = 0;
  return measured([url], connections, async (connection, start, latencies) => {
    while (taken < count) {
      const due = start + (taken * 1000) / perSecond;
      taken += 1;
      while (performance.now() < due) await delay(Math.max(0, due - performance.now() - 1));
      await expectAnswer(connection, next(), 200);
      latencies.push(performance.now() - due);
    }
  });
}

/** Lets a client send over each of so many connections, and tells what their latencies come to. */
async function measured(
  urls: readonly string[],
  connections: number,
  client: (connection: Connection, start: number, latencies: number[]) => Promise<void>,
): Promise<Load> {
  const open = await Promise.all(
    Array.from({ length: connections }, (_, nth) => Connection.to(urls[nth % urls.length] as string)),
  );
  const latencies: number[] = [];
  const start = performance.now();
  try {
    await Promise.all(open.map((connection) => client(connection, start, latencies)));
  } finally {
    for (const connection of open) connection.close();
  }
  return loadOf(latencies, performance.now() - start);
}

async function expectAnswer(
  connection: Connection,
  request: Buffer | undefined,
  wanted: number,
): Promise<void> {
  if (request === undefined) throw new Error('the deliveries ran out: sign more of them');
  const status = await connection.send(request);
  if (status !== wanted) throw new Error(`a delivery was answered ${status}, not ${wanted}`);
}

function loadOf(latencies: number[], milliseconds: number): Load {
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.floor((latencies.length - 1) * q)] ?? 0;
  return {
    requestsPerSecond: (latencies.length * 1000) / milliseconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
    accepted: latencies.length,
  };
}
