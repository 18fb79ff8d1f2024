import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MoveRefusedError } from '../../../src/database/moving/errors.js';
import { SourceStore } from '../../../src/database/moving/source-store.js';
import { claimForThisProcess } from '../../../src/database/sqlite/single-process.js';

describe('a store that is to be moved', () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'livekit-webhooks-test-'));
  });

  afterEach(() => {
    for (const left of [path, `${path}.lock`]) rmSync(left, { recursive: true, force: true });
  });

  test('that is no file is refused, and is not claimed any more', () => {
    const open = () => SourceStore.open(`file:${path}`);
    expect(open).toThrow(MoveRefusedError);
    expect(open).toThrow(/can't be opened: give the SQLite file of the application as `--from`/);
    claimForThisProcess(path)();
  });

  test('that is a file of something else is refused, and is not claimed any more', () => {
    const text = join(path, 'notes.txt');
    writeFileSync(text, 'no database at all, but a text that is long enough'.repeat(50));
    const open = () => SourceStore.open(`file:${text}`);
    expect(open).toThrow(MoveRefusedError);
    expect(open).toThrow(/notes\.txt is no SQLite database: give .* as `--from`/);
    claimForThisProcess(text)();
  });
});
