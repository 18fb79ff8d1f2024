/**
 * `npm run bench` runs every benchmark, `npm run bench -- drain` one of them; `--long` takes its time, `--smoke` shows
 * no more than that it runs, `--json <path>` writes the figures down. What counts are the ratios: contestants take turns on one machine.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { append } from './append.bench.js';
import { backfill } from './backfill.bench.js';
import { costs } from './costs.bench.js';
import { drain } from './drain.bench.js';
import { engines } from './engines.bench.js';
import { growth } from './growth.bench.js';
import { hotPath } from './hot-path.bench.js';
import { idle } from './idle.bench.js';
import { keepingUp } from './keeping-up.bench.js';
import { latency } from './latency.bench.js';
import { observing } from './observing.bench.js';
import { receive } from './receive.bench.js';
import { machine, print, type Report } from './report.js';
import { replicas } from './replicas.bench.js';
import { sessions } from './sessions.bench.js';
import { sizes } from './sizes.bench.js';

const BENCHES = [
  receive,
  latency,
  keepingUp,
  costs,
  growth,
  observing,
  append,
  hotPath,
  drain,
  engines,
  replicas,
  backfill,
  idle,
  sizes,
  sessions,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const unknown = positionals.find((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown !== undefined) {
  console.error(`there is no bench \`${unknown}\`: there are ${BENCHES.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
const { node, cpu, cores } = machine();
console.log(`Node ${node}, ${cores} × ${cpu}`);
const reports: Record<string, Report> = {};
const benches = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name)).values();
const runAll = async () => {
  for (const bench of benches) {
    const report = await bench.run({ long: values.long, smoke: values.smoke });
    if (values.smoke) console.log(`${bench.name} runs`);
    else print(bench.title, report);
    reports[bench.name] = report;
  }
};
// Where nothing is measured, one may start its servers while another does.
await Promise.all(values.smoke ? [runAll(), runAll()] : [runAll()]);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ machine: machine(), reports }, null, 2)}\n`);
