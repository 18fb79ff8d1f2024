import { readdirSync, readFileSync } from 'node:fs';
import { PACKAGE_VERSION } from '../../../src/metrics/package-version.js';

test('the version that is told is that of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(PACKAGE_VERSION).toBe(version);
});

test('no module of ours has an `import.meta`, which ts-jest refuses in a host in CommonJS', () => {
  const modules = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const refused = modules.filter((file) => /(?<!`)import\.meta/.test(readFileSync(`src/${file}`, 'utf8')));
  expect(refused).toEqual([]);
});
