import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { buildApplication } from '../support/application-process.js';

beforeAll(buildApplication, 120_000);

test('a reader of its output that goes before the end does not make it fail', async () => {
  const cli = spawn(process.execPath, ['dist/cli/livekit-webhooks.js', '--help']);
  cli.stdout.destroy();
  const [[code], err] = await Promise.all([once(cli, 'exit'), text(cli.stderr)]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});

test('output that can not be written is told by its exit code', async () => {
  await using full = await open('/dev/full', 'w');
  const cli = spawn(process.execPath, ['dist/cli/livekit-webhooks.js', '--help'], {
    stdio: ['ignore', full.fd, 'ignore'],
  });
  expect(await once(cli, 'exit')).toEqual([1, null]);
});
