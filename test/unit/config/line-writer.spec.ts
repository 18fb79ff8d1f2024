import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LineWriter } from '../../../src/config/line-writer.js';

describe('lines that are written', () => {
  let chunks: string[];
  let writer: LineWriter;
  beforeEach(() => {
    chunks = [];
    writer = new LineWriter(
      new Writable({
        decodeStrings: false,
        write(chunk: string, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      }),
    );
  });

  test('in one turn of the event loop go out together, in their order, and once', async () => {
    for (const line of ['a', 'b', 'c']) writer.write(line, false);
    expect(chunks).toEqual([]);
    await nextTurn();
    writer.write('d', false);
    await nextTurn();
    await nextTurn();
    expect(chunks).toEqual(['a\nb\nc\n', 'd\n']);
  });

  test('go out at once when they are urgent, behind those that wait', async () => {
    writer.write('a', false);
    writer.write('b', true);
    expect(chunks).toEqual(['a\nb\n']);
    await nextTurn();
    expect(chunks).toHaveLength(1);
  });
});

test('lines that nobody reads wait up to a limit, and those behind it are dropped', () => {
  const read: (() => void)[] = [];
  const pipe = new Writable({ write: (_chunk, _encoding, done) => void read.push(done) });
  const writer = new LineWriter(pipe);
  for (let n = 0; n < 64; n += 1) writer.write('x'.repeat(1024 * 1024), true);
  expect(pipe.writableLength).toBeLessThan(20 * 1024 * 1024);
  while (pipe.writableLength > 0) read.shift()?.();
  writer.write('y', true);
  expect(pipe.writableLength).toBe(2);
});
