/**
 * How many deliveries a second, and how soon each is answered: ours, which stores every one on disk first, beside
 * what people have today, which stores none. In turns, so that whatever else the machine does hits all alike; what
 * counts are the ratios. `npm run bench`, or `npm run bench -- --json`.
 */
import Database from 'libsql';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { type Contestant, CONTESTANTS } from './contestants.js';
import { type Measure, send, signedDeliveries } from './load.js';

const CONCURRENCY = 64;
const ROUNDS = 5;
const SLOT = 2_000;
const MOST_A_SECOND = 12_000;

const names = Object.keys(CONTESTANTS) as Contestant[];
const workshop = mkdtempSync(resolve('.bench-'));
const servers = new Map<Contestant, { process: ChildProcess; url: string; folder: string }>();
const measures = new Map<Contestant, Measure[]>(names.map((name) => [name, []]));
try {
  for (const name of names) servers.set(name, await start(name));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const name of names) {
      const measure = await run(name);
      measures.get(name)?.push(measure);
    }
  }
  for (const name of ['express', 'fastify'] as const) checkStored(name);
  if (process.argv.includes('--json')) console.log(JSON.stringify(report(), null, 2));
  else print();
} finally {
  for (const { process: server } of servers.values()) server.kill();
  rmSync(workshop, { recursive: true, force: true });
}

async function start(name: Contestant): Promise<{ process: ChildProcess; url: string; folder: string }> {
  const folder = mkdtempSync(join(workshop, `${name}-`));
  // Ours write a log line for each delivery, as in real use.
  const server = fork('test/bench/server.ts', [name, folder], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const url = await new Promise<string>((started, failed) => {
    server.once('message', (message) => started(String(message)));
    server.once('exit', (code) => failed(new Error(`${name} did not start: ${code}`)));
  });
  return { process: server, url, folder };
}

async function run(name: Contestant): Promise<Measure> {
  const deliveries = signedDeliveries((MOST_A_SECOND * SLOT) / 1000);
  return send(servers.get(name)?.url ?? '', deliveries, CONCURRENCY, SLOT);
}

function checkStored(name: Contestant): void {
  const database = new Database(join(servers.get(name)?.folder ?? '', 'voice.sqlite'));
  const [row] = database.prepare('SELECT count(*) AS stored FROM livekit_events').all() as {
    stored: number;
  }[];
  const accepted = measures.get(name)?.reduce((sum, measure) => sum + measure.accepted, 0);
  if (row?.stored !== accepted) throw new Error(`${name} accepted ${accepted} and stored ${row?.stored}`);
}

function report() {
  // The first round was for warming up.
  const summary = (name: Contestant, figure: keyof Measure) => {
    const values = (measures.get(name) ?? [])
      .slice(1)
      .map((measure) => measure[figure])
      .sort((a, b) => a - b);
    return {
      median: values[Math.floor(values.length / 2)] ?? 0,
      min: values[0] ?? 0,
      max: values.at(-1) ?? 0,
    };
  };
  const rows = names.map((name) => ({
    name,
    what: CONTESTANTS[name],
    requestsPerSecond: summary(name, 'requestsPerSecond'),
    p50: summary(name, 'p50'),
    p99: summary(name, 'p99'),
  }));
  const [baseline] = rows;
  const ratios = rows.slice(1).map(({ name, requestsPerSecond, p99 }) => ({
    name,
    requestsPerSecond: requestsPerSecond.median / (baseline?.requestsPerSecond.median ?? 1),
    p99: p99.median / (baseline?.p99.median ?? 1),
  }));
  return {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    concurrency: CONCURRENCY,
    rows,
    ratios,
  };
}

function print(): void {
  const { node, cpu, cores, concurrency, rows, ratios } = report();
  console.log(
    `\nNode ${node}, ${cores} × ${cpu}, ${concurrency} connections, medians of ${ROUNDS} rounds of ${SLOT / 1000} s (min – max)\n`,
  );
  for (const { what, requestsPerSecond, p50, p99 } of rows) {
    const { median, min, max } = requestsPerSecond;
    console.log(
      `  ${what.padEnd(48)}${median.toFixed(0).padStart(6)} req/s (${min.toFixed(0)} – ${max.toFixed(0)})` +
        `   p50 ${p50.median.toFixed(1)} ms   p99 ${p99.median.toFixed(1)} ms (${p99.min.toFixed(1)} – ${p99.max.toFixed(1)})`,
    );
  }
  console.log('');
  for (const { name, requestsPerSecond, p99 } of ratios) {
    console.log(
      `  ours on ${name} / baseline: ${requestsPerSecond.toFixed(2)} × the requests per second, ${p99.toFixed(2)} × the p99`,
    );
  }
  console.log('');
}
