import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { describeOnSqlite } from '../support/only-on.js';
import { DELIVERY_ENGINES, PrivateServer } from '../support/private-server.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { auditSessions, auditStore } from './audit.js';
import { callEvents } from './calls.js';
import { Load, Sender } from './sender.js';

/** For one test under load: it starts two processes, and each may take its time. */
const PATIENCE = 240_000;

let database: FreshDatabase;
let application: ApplicationProcess;
let server: PrivateServer | undefined;
let sender: Sender;

beforeAll(buildApplication, 120_000);

beforeEach(async () => {
  database = await freshDatabase();
  sender = new Sender(() => application.url);
});

afterEach(async () => {
  sender.close();
  await killApplications();
  await server?.remove();
  server = undefined;
  await database.drop();
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'told to stop by %s while it starts, it ends as it was told to, and not as one that fails',
  async (signal) => {
    application = ApplicationProcess.launch(database.url);
    await until('the start', () => application.log.includes('LiveKit webhooks are received'));
    expect(await application.stop(signal)).toEqual({ code: 0, signal: null });
    expect(application.errors).toEqual([]);
  },
);

test.each(DELIVERY_ENGINES)(
  'told to stop under load with deliveries over %s, it answers honestly to the end, and keeps what it answered 200',
  async (engine) => {
    server = await PrivateServer.startFor(engine);
    application = await ApplicationProcess.start(database.url, server?.env);
    const load = new Load(sender, callEvents(seededRandom(1)), 32);
    try {
      await until('acknowledgements', () => sender.acknowledged.length >= 300, 60_000);
      const before = sender.answers.length;
      expect(await application.stop()).toEqual({ code: 0, signal: null });
      expect(sender.answers.length).toBeGreaterThan(before);
      expect(application.log).not.toMatch(/still running|did not stop/);
    } finally {
      await load.stop();
    }
    const told = new Set(sender.answers.map(({ status, word }) => `${status} ${word}`));
    expect([...told].filter((answer) => !['200 accepted', '503 unavailable'].includes(answer))).toEqual([]);
    expect(await auditStore(database.url, sender)).toEqual({ lost: [], doubled: [], foreign: [] });

    application = await ApplicationProcess.start(database.url, server?.env);
    expect(application.log).not.toContain('left running');
    await sender.sendWhatIsLeft();
    await auditSessions(application, database.url);
  },
  PATIENCE,
);

describe.each(['express', 'fastify'])('connections that stay open hold up no stop on %s', (adapter) => {
  const opened: Socket[] = [];

  /** Sends the start of something, and is silent from then on. */
  const silentAfter = async (sent: string) => {
    const socket = connect(Number(new URL(application.url).port), '127.0.0.1').on('error', () => undefined);
    opened.push(socket);
    await once(socket, 'connect');
    socket.write(sent);
    return socket;
  };

  beforeEach(async () => {
    application = await ApplicationProcess.start(database.url, { HTTP_ADAPTER: adapter });
  });

  afterEach(() => opened.splice(0).forEach((socket) => socket.destroy()));

  test('that have no request in hand: nothing was sent, or a part of a head, or one request and a part of the next', async () => {
    const head = 'GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n';
    await silentAfter('');
    await silentAfter(head.slice(0, 20));
    const answered = await silentAfter(head);
    await once(answered, 'data');
    answered.write(head.slice(0, 20));
    expect((await application.get('/health/live')).status).toBe(200); // it has read what came before
    expect(await application.stop()).toEqual({ code: 0, signal: null });
  });

  test('that have a request in hand whose body never ends', async () => {
    const head = `PUT /voice/sessions/call-1/disposition HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`;
    await silentAfter(`${head}{`);
    expect((await application.get('/health/live')).status).toBe(200);
    expect(await application.stop()).toEqual({ code: 0, signal: null });
  });
});

describeOnSqlite('on an SQLite file', () => {
  test('a second process refuses to start, and tells the cure', async () => {
    application = await ApplicationProcess.start(database.url);
    const second = ApplicationProcess.launch(database.url);
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.log).toMatch(/in use by another process.*PostgreSQL/);
    expect((await application.get('/health/ready')).status).toBe(200);
  });

  test('the lock of a process that was killed hinders nobody', async () => {
    application = await ApplicationProcess.start(database.url);
    await application.kill();
    expect(existsSync(`${database.url.slice('file:'.length)}.lock`)).toBe(true);
    application = await ApplicationProcess.start(database.url);
    expect((await application.get('/health/ready')).status).toBe(200);
  });

  test('a file whose process has stopped is whole by itself', async () => {
    application = await ApplicationProcess.start(database.url);
    await sender.sendAll(Array.from({ length: 50 }, callEvents(seededRandom(2))), 8);
    await application.stop();
    expect(statSync(`${database.url.slice('file:'.length)}-wal`).size).toBe(0);
  });
});
