import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { builtinModules } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize, relative, resolve } from 'node:path';
import { DEFAULTS, IS_SECRET } from './deploy-files.js';

interface Instruction {
  name: string;
  text: string;
}

/** The stages of the Dockerfile, each from its FROM on; what stands before the first is no stage. */
function stages(): Instruction[][] {
  const lines = readFileSync('Dockerfile', 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const all = lines.map((line) => {
    const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    return { name, text };
  });
  const starts = all.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []));
  return starts.map((start, n) => all.slice(start, starts[n + 1]));
}

/** What a module loads: what it imports of types only is gone when it runs. */
const IMPORT = /^(?:import|export) (?!type )(?:[^;']* from )?'([^']+)'|\bimport\('([^']+)'\)/gm;

const sources = (): { file: string; imports: string[] }[] =>
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name))
    .map((file) => ({
      file,
      imports: [...readFileSync(file, 'utf8').matchAll(IMPORT)].map(
        ([, named, loaded]) => named ?? loaded ?? '',
      ),
    }));

const [build = [], final = []] = stages();
const textsOf = (stage: Instruction[], name: string): string[] =>
  stage.filter((instruction) => instruction.name === name).map(({ text }) => text);
const copied = (stage: Instruction[]): string[] =>
  textsOf(stage, 'COPY')
    .filter((text) => !text.startsWith('--from'))
    .flatMap((text) => text.split(' ').slice(0, -1));

describe('the Dockerfile', () => {
  test('has two stages on the same major version of a slim base', () => {
    expect(stages()).toHaveLength(2);
    expect([build, final].map((stage) => textsOf(stage, 'FROM')[0])).toEqual([
      'node:${NODE}-trixie-slim AS build',
      'node:${NODE}-trixie-slim',
    ]);
    expect(readFileSync('Dockerfile', 'utf8')).toMatch(/^ARG NODE=\d+$/m);
  });

  test('runs the application as node itself, as somebody who owns nothing of it', () => {
    const names = final.map(({ name }) => name);
    expect(textsOf(final, 'USER')).toEqual(['1000:1000']);
    expect(names.lastIndexOf('COPY')).toBeLessThan(names.indexOf('USER'));
    expect(textsOf(final, 'COPY').join()).not.toMatch(/--chown|--chmod/);
    expect(textsOf(final, 'CMD').map((text) => JSON.parse(text) as unknown)).toEqual([
      ['node', '--enable-source-maps', 'dist/main.js'],
    ]);
    expect(textsOf(final, 'ENTRYPOINT')).toEqual([]);
    expect(textsOf(final, 'ENV')).toEqual(['NODE_ENV=production']);
    expect(textsOf(final, 'EXPOSE')).toEqual([String(DEFAULTS.http.port)]);
  });

  test('has no secret in it', () => {
    for (const { name, text } of [...build, ...final])
      if (name === 'ENV' || name === 'ARG') expect(text).not.toMatch(IS_SECRET);
  });

  test('is sent what it copies, and nothing else', () => {
    const [all, ...sent] = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(all).toBe('*');
    const wanted = [...copied(build), ...copied(final)];
    expect(sent.map((line) => line.slice(1)).sort()).toEqual(wanted.sort());
    expect(wanted.filter((file) => !existsSync(file))).toEqual([]);
  });

  test('builds from all that the sources import', () => {
    const outside = sources().flatMap(({ file, imports }) =>
      imports
        .filter((name) => name.startsWith('.'))
        .map((name) => relative('.', resolve(file, '..', name)))
        .filter((target) => !target.startsWith('src/')),
    );
    const folders = copied(build).map((name) => `${normalize(name)}/`);
    expect(outside.filter((target) => !folders.some((folder) => target.startsWith(folder)))).toEqual([]);
  });

  test('keeps what the application needs at run time, the peers of the library too, and nothing else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'manifest-'));
    copyFileSync('package.json', join(folder, 'package.json'));
    await run(resolve('scripts/keep-runtime-dependencies.mjs'), {}, folder);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, object>;
    rmSync(folder, { recursive: true });
    expect(manifest).not.toHaveProperty('devDependencies');
    expect(manifest).not.toHaveProperty('peerDependencies');
    const kept = new Set(Object.keys(manifest.dependencies ?? {}));
    const asked = sources()
      .flatMap(({ imports }) => imports)
      .filter((name) => /^[@\w]/.test(name) && !name.startsWith('node:') && !builtinModules.includes(name))
      .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
    expect(asked).toContain('@nestjs/platform-fastify'); // one that is loaded when it is needed
    expect(asked.filter((name) => !kept.has(name))).toEqual([]);
    expect([...kept].filter((name) => /jest|swc|typescript|oxlint|prettier|tsx/.test(name))).toEqual([]);
  });
});

describe('the health check', () => {
  const [check = ''] = textsOf(final, 'HEALTHCHECK');
  const [, script = ''] = JSON.parse(/CMD (.*)$/.exec(check)?.[1] ?? '[]') as string[];
  const served: Server[] = [];

  afterEach(() => {
    for (const server of served.splice(0)) server.close();
  });

  const serve = async (server: Server): Promise<string> => {
    served.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return String((server.address() as AddressInfo).port);
  };

  test.each([200, 503])('of an application whose readiness is %i', async (status) => {
    const asked: unknown[] = [];
    const PORT = await serve(
      createServer(({ url }, response) => {
        asked.push(url);
        response.writeHead(status).end('{}');
      }),
    );
    expect(await run(script, { PORT })).toBe(status === 200 ? 0 : 1);
    expect(asked).toEqual(['/health/ready']);
  });

  test('of an application that brings TLS', async () => {
    const [cert, key] = ['cert', 'key'].map((name) => readFileSync(`test/support/tls/${name}.pem`));
    const PORT = await serve(createTlsServer({ cert, key }, (_, response) => response.end('{}')));
    expect(await run(script, { PORT, TLS_CERT_FILE: 'cert.pem' })).toBe(0);
    expect(await run(script, { PORT })).toBe(1);
  });
});

/** Runs a script; gives its exit code. */
async function run(script: string, env: NodeJS.ProcessEnv, cwd = '.'): Promise<number> {
  const [code] = (await once(spawn(process.execPath, [script], { env, cwd, stdio: 'ignore' }), 'exit')) as [
    number,
  ];
  return code;
}
