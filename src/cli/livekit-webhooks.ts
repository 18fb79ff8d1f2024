#!/usr/bin/env node
import { run } from './run.js';

// What was begun is finished whatever becomes of its output; whoever reads that may have seen enough (`| head`).
for (const stream of [process.stdout, process.stderr])
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') process.exitCode ||= 1;
  });

const code = await run(process.argv.slice(2), process.env, {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
});
process.exitCode = code || process.exitCode;
