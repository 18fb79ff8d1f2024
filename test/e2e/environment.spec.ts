import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { buildApplication } from '../support/application-process.js';

/** Starts the built application and gives how it ended. */
function start(env: Record<string, string>): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, ['dist/main.js'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
    timeout: 100_000,
  });
  return { status, stderr };
}

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

describe('the application does not start', () => {
  beforeAll(buildApplication, 120_000);

  test('without a secret, and says which variable, what is wrong, and the cure', () => {
    const { status, stderr } = start({});
    expect(status).toBe(1);
    expect(stderr).toMatch(/LIVEKIT_API_SECRET is not set or empty: give the secret/);
    expect(stderr).not.toMatch(/ at .*\.js/);
  });

  test('with a certificate that is none, and says which variables', () => {
    const { status, stderr } = start({
      LIVEKIT_API_SECRET: 'a-secret',
      DATABASE_URL: ':memory:',
      TLS_CERT_FILE: 'package.json',
      TLS_KEY_FILE: 'test/support/tls/key.pem',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/TLS_CERT_FILE and TLS_KEY_FILE are no pair/);
  });

  test('on a port that is taken, and says so', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { status, stderr } = start({
      LIVEKIT_API_SECRET: 'a-secret',
      DATABASE_URL: ':memory:',
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'fatal',
    });
    taken.close();
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`PORT is ${port} and HOST is 127.0.0.1, .*EADDRINUSE.*: give`));
  });

  test('on a database that it does not reach, and says so whatever it logs', () => {
    const { status, stderr } = start({
      LIVEKIT_API_SECRET: 'a-secret',
      DATABASE_URL: 'postgres://me:marker-password@127.0.0.1:1/voice',
      LOG_LEVEL: 'fatal',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^The application can't start \(no connection to postgres:\/\/127.0.0.1:1\/voice \(connect ECONNREFUSED\): /,
    );
    expect(stderr).not.toMatch(/marker/);
  });

  test('without a package that it is to use, and says how to install it', () => {
    const missing = `export const resolve = (name, context, next) => {
      if (name !== 'ioredis') return next(name, context);
      throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' });
    };`;
    const hook = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(missing))});`;
    const { status, stderr } = start({
      LIVEKIT_API_SECRET: 'a-secret',
      DATABASE_URL: ':memory:',
      OUTLET_REDIS_URL: 'redis://127.0.0.1:1',
      LOG_LEVEL: 'fatal',
      NODE_OPTIONS: `--import=${dataUrl(hook)}`,
    });
    expect(status).toBe(1);
    expect(stderr).toBe('the outlet redis needs what is not installed: npm install ioredis\n');
  });

  test('with several wrong values, and names them all at once', () => {
    const { status, stderr } = start({
      LIVEKIT_API_SECRET: 'marker-secret',
      PORT: 'eighty',
      ROLE: 'edge',
      DATABASE_URL: 'mysql://root:marker-password@db/voice',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/PORT/);
    expect(stderr).toMatch(/ROLE/);
    expect(stderr).toMatch(/DATABASE_URL/);
    expect(stderr).not.toMatch(/marker/);
  });
});
