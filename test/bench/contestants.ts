/** What is measured: LiveKit's receiver in plain Express, and ours on either adapter. */
export const CONTESTANTS = {
  baseline: 'Express + livekit-server-sdk, storing nothing',
  express: 'ours on Nest + Express, durable on SQLite',
  fastify: 'ours on Nest + Fastify, durable on SQLite',
} as const;

export type Contestant = keyof typeof CONTESTANTS;

export const API_KEY = 'APIbench';
export const API_SECRET = 'a-benchmark-secret-of-some-length';
export const PATH = '/voice/livekit/webhooks';
