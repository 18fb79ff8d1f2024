import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { codes, rows } from './tables.js';

const [, section = ''] = readFileSync('CONTRIBUTING.md', 'utf8').split('## Where things live\n');

/** Which folders each folder of `src/` may import. */
const table = new Map(
  rows(section, 3).flatMap(([folders, , may]) =>
    codes(folders)
      .filter((folder) => folder.startsWith('src/'))
      .map((folder) => [folderOf(folder), codes(may)] as const),
  ),
);

/** Every import of ours in `src/`, those of types too, by paths from the root. */
const imports = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`)
  .flatMap((file) =>
    ts
      .preProcessFile(readFileSync(file, 'utf8'))
      .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
      .map(({ fileName }) => ({ file, of: posix.join(posix.dirname(file), fileName) })),
  );

const importers = new Set(imports.map(({ file }) => file));

describe('the table of what may import what', () => {
  test('has every folder', () => {
    const folders = readdirSync('src', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${name}/`);
    expect([...table.keys()].toSorted()).toEqual(folders.toSorted());
  });

  test('is kept by every import', () => {
    expect(imports).toContainEqual({
      file: 'src/access/query-reader.ts',
      of: 'src/database/plain-text.js',
    });
    const wrong = imports.filter(({ file, of }) => isInFolder(file) && !mayImport(file, of));
    expect(wrong.map(({ file, of }) => `${file} imports ${of}`)).toEqual([]);
  });

  test('leads no folder back to itself', () => {
    expect([...table.keys()].filter((folder) => reachedFrom(folder).has(folder))).toEqual([]);
  });
});

/** `sessions/` of `src/sessions/fold/fold.ts`, `captures/` of what is there; a file directly in `src/` has its name. */
function folderOf(path: string): string {
  const [folder = ''] = /^[^/]+\/?/.exec(path.replace(/^src\//, '')) ?? [];
  return folder;
}

function isInFolder(file: string): boolean {
  return folderOf(file).endsWith('/');
}

function mayImport(file: string, of: string): boolean {
  const folder = folderOf(of);
  if (folder === folderOf(file) || table.get(folderOf(file))?.includes(folder)) return true;
  return !isInFolder(of) && !importers.has(of.replace(/\.js$/, '.ts'));
}

function reachedFrom(folder: string, reached = new Set<string>()): Set<string> {
  for (const next of table.get(folder) ?? []) {
    if (reached.has(next)) continue;
    reached.add(next);
    reachedFrom(next, reached);
  }
  return reached;
}
