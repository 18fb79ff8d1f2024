import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';

/** A block of code in a document. */
export interface CodeBlock {
  document: string;
  /** Of its first line, from 1. */
  line: number;
  code: string;
}

/** The TypeScript blocks of a document that are whole modules; those without an import are excerpts. */
export function moduleBlocks(document: string): CodeBlock[] {
  const text = readFileSync(document, 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)]
    .map(({ index, 1: code = '' }) => ({
      document,
      line: text.slice(0, index).split('\n').length + 1,
      code,
    }))
    .filter(({ code }) => code.startsWith('import ') && !/from '\.\.?\//.test(code));
}

/** What the compiler has against blocks, with the library's own sources in the place of the package. */
export function typeErrors(blocks: readonly CodeBlock[]): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  options.paths = {
    'nestjs-livekit-webhooks': [resolve('src/index.ts')],
    'nestjs-livekit-webhooks/*': [resolve('src/*/index.ts')],
  };
  const files = new Map(blocks.map((block) => [resolve(`${block.document}.${block.line}.ts`), block]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, language, ...others) => {
    const block = files.get(name);
    return block === undefined
      ? getSourceFile(name, language, ...others)
      : ts.createSourceFile(name, block.code, language);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([name, { document, line }]) => {
    const file = program.getSourceFile(name) as ts.SourceFile;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) => {
        const at = line + file.getLineAndCharacterOfPosition(start).line;
        return `${document}:${at} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
      },
    );
  });
}
