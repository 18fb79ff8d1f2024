// Builds `dist/` unless it is newer than everything it is made from, so that `npm start` is quick the second
// time, and works where there are no sources and no compiler (a deployed image).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';

const newest = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(`${entry.parentPath}/${entry.name}`).mtimeMs), 0);

const built = existsSync('dist/main.js') ? statSync('dist/main.js').mtimeMs : 0;
const sources = existsSync('src')
  ? Math.max(newest('src'), ...['package.json', 'tsconfig.build.json'].map((file) => statSync(file).mtimeMs))
  : 0;

if (built === 0 || sources > built) {
  const { status } = spawnSync('npx', ['--no-install', 'nest', 'build'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
