import type { INestApplication } from '@nestjs/common';

/** The result of an indicator. */
export type ToldIndicator = { status: string } & Record<string, unknown>;

/** The answer of a health route. */
export interface Health {
  code: number;
  text: string;
  /** The result of each indicator, by its key. */
  details: Record<string, ToldIndicator>;
}

/** Fetches the health of an application that listens. */
export async function healthOf(app: INestApplication, path = '/health'): Promise<Health> {
  const response = await fetch((await app.getUrl()) + path);
  const text = await response.text();
  const { details } = JSON.parse(text) as Pick<Health, 'details'>;
  return { code: response.status, text, details };
}

/** The keys of the indicators that are down, of an application that is nonetheless ready and live. */
export async function downWhileReady(app: INestApplication): Promise<string[]> {
  const { code, details } = await healthOf(app);
  const down = Object.keys(details).filter((key) => details[key]?.status === 'down');
  expect(code).toBe(down.length > 0 ? 503 : 200);
  for (const path of ['/health/ready', '/health/live']) expect((await healthOf(app, path)).code).toBe(200);
  return down;
}
