import { spawnSync } from 'node:child_process';

/** Starts the built application and gives how it ended. */
function start(env: Record<string, string>): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, ['dist/main.js'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stderr };
}

describe('the application does not start', () => {
  beforeAll(() => {
    spawnSync(process.execPath, ['scripts/build-when-needed.mjs'], { stdio: 'inherit' });
  }, 120_000);

  test('without a secret, and says which variable, what is wrong, and the cure', () => {
    const { status, stderr } = start({});
    expect(status).toBe(1);
    expect(stderr).toMatch(/LIVEKIT_API_SECRET is not set or empty: give the secret/);
    expect(stderr).not.toMatch(/ at .*\.js/);
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
