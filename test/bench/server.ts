/** One of the servers that are compared, in a process of its own: `server.ts <ServerShape as JSON>`. */
import 'reflect-metadata';
import { startTracingSdk } from '../../dist/application/tracing-sdk.js';
import { answer } from './child.js';
import { startBare } from './receivers/bare.js';
import { startByHand } from './receivers/by-hand.js';
import { startEmpty } from './receivers/empty.js';
import { startOfficial } from './receivers/official.js';
import { startOurs } from './receivers/ours.js';
import type { Started } from './receivers/started.js';
import { startWire } from './receivers/wire.js';
import type { ServerQuestion, ServerShape } from './servers.js';

const RECEIVERS: Record<ServerShape['receiver'], (shape: ServerShape) => Promise<Started>> = {
  official: startOfficial,
  empty: startEmpty,
  wire: startWire,
  bare: ({ database = '' }) => startBare(database),
  'by hand': ({ database = '' }) => startByHand(database.replace(/^file:/, '')),
  express: startOurs,
  fastify: startOurs,
};

const shape = JSON.parse(process.argv[2] ?? '') as ServerShape;
await startTracingSdk(process.env);
const { url, drain, backlog } = await RECEIVERS[shape.receiver](shape);

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const memory = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss();
};
const answers = { url: () => url, drained: drain, backlog, cpu, memory };
answer<ServerQuestion>(({ ask }) => answers[ask]());
