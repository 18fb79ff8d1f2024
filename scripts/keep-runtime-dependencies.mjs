// Makes the package.json of an application of that of a library: what the library leaves to its host (its peers) is the
// application's own, in the versions that the lock file has, and what only development needs is no more. `npm prune` removes it.
import { readFileSync, writeFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
for (const [name, range] of Object.entries(manifest.peerDependencies)) {
  manifest.dependencies[name] = manifest.devDependencies[name] ?? range;
}
for (const kind of ['devDependencies', 'peerDependencies', 'peerDependenciesMeta']) delete manifest[kind];
writeFileSync('package.json', JSON.stringify(manifest, null, 2));
