#!/usr/bin/env node
import { run } from './run.js';

// Whoever reads the output may go before its end (`| head`): what was begun is finished all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

process.exitCode = await run(process.argv.slice(2), process.env, {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
});
