import { readdirSync, readFileSync } from 'node:fs';
import { exponentialBackoff } from '../../../src/event-log/backoff.js';
import { resolveSettings } from '../../../src/health/health.options.js';
import { moduleBlocks, typeErrors } from './code-blocks.js';

const DOCUMENTS = [
  'README.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

const handlers = readFileSync('docs/handlers.md', 'utf8');

describe('the documentation', () => {
  test('has code that compiles', () => {
    const blocks = DOCUMENTS.flatMap(moduleBlocks);
    expect(blocks.filter(({ document }) => document === 'docs/handlers.md').length).toBeGreaterThan(7);
    expect(typeErrors(blocks)).toEqual([]);
  }, 300_000);

  test('gives each of its handlers a name of its own, so that all of them can be tried in one application', () => {
    const code = DOCUMENTS.flatMap(moduleBlocks).map((block) => block.code);
    const names = [...code.join('\n').matchAll(/@On\w+Event[^@]*?\bname: '([^']+)'/g)].map(
      ([, name]) => name,
    );
    expect(names).toContain('analytics');
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('knows every option of a handler', () => {
    const source = readFileSync('src/event-log/handlers/handler.ts', 'utf8');
    const [, options = ''] = /interface HandlerOptions \{(.*?)^\}/ms.exec(source) ?? [];
    const names = [...options.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    expect(names).toContain('ordering');
    for (const name of names) expect(handlers).toMatch(new RegExp(`^\\| \`${name}\` `, 'm'));
  });

  test('knows every error that is exported', () => {
    const everything = DOCUMENTS.map((document) => readFileSync(document, 'utf8')).join('\n');
    const errors = readFileSync('src/index.ts', 'utf8').match(/\b\w+Error\b/g) ?? [];
    expect(errors).toContain('LeaseLostError');
    expect(errors.filter((error) => !everything.includes(`\`${error}\``))).toEqual([]);
  });

  test('knows every health indicator and threshold', () => {
    const told = readFileSync('docs/observability.md', 'utf8');
    const indicators = readFileSync('src/health/index.ts', 'utf8').match(/\b\w+HealthIndicator\b/g) ?? [];
    expect(indicators).toContain('LivekitHealthIndicator');
    for (const indicator of indicators) expect(told).toMatch(new RegExp(`^\\| \`${indicator}\` `, 'm'));
    for (const option of Object.keys(resolveSettings()))
      expect(told).toMatch(new RegExp(`^\\| \`${option}\` `, 'm'));
  });

  test('tells the waits between attempts as they are', () => {
    const told = [...handlers.matchAll(/^\| (\d+) +\| ([^|]*?) +\| ([^|]*?) +\|$/gm)].map(
      ([, attempt, wait, total]) => ({ attempt: Number(attempt), wait, total }),
    );
    const backoff = exponentialBackoff();
    let total = 0;
    const waits = Array.from({ length: 19 }, (_, index) => {
      const wait = backoff(index + 1);
      total += wait;
      return { attempt: index + 1, wait: spelt(wait), total: spelt(total) };
    });
    expect(told).toEqual([...waits, { attempt: 20, wait: 'none: a dead letter', total: '' }]);
  });
});

function spelt(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  return parts
    .filter(([number]) => number > 0)
    .map((part) => part.join(' '))
    .join(' ');
}
