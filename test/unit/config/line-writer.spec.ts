import { setImmediate as nextTurn } from 'node:timers/promises';
import { LineWriter } from '../../../src/config/line-writer.js';

describe('lines that are written', () => {
  let chunks: string[];
  let writer: LineWriter;
  beforeEach(() => {
    chunks = [];
    writer = new LineWriter({ write: (text) => chunks.push(text) });
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
