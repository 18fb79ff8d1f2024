import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { RawConnection } from '../../support/raw-http.js';
import { mintToken } from '../../support/signing.js';
import { until } from '../../support/until.js';
import { newId, NOW, webhook } from '../../support/webhook.js';

const LIMIT = 1024 * 1024;

const headOf = (body: string, headers: Record<string, string>, path: string) => ({
  path,
  headers: { 'Content-Type': 'application/webhook+json', Authorization: mintToken(body, NOW), ...headers },
});
const chunkedHead = (body: string, path: string, more: Record<string, string> = {}) =>
  headOf(body, { 'Transfer-Encoding': 'chunked', ...more }, path);
const sizedHead = (body: string, path: string, more: Record<string, string> = {}) =>
  headOf(body, { 'Content-Length': String(Buffer.byteLength(body)), ...more }, path);

describe.each(ADAPTERS)('how a body arrives on %s', (adapter) => {
  let host: Host;
  let connection: RawConnection;

  const stored = () => host.rows('SELECT * FROM livekit_events');
  const everything = async () => [
    ...(await stored()),
    ...(await host.rows('SELECT event_seq FROM livekit_bodies')),
    ...(await host.rows('SELECT sha256 FROM livekit_quarantine')),
  ];
  const heard = (outcome: string) =>
    until(`a request that is ${outcome}`, () => host.receipts().some((line) => line['outcome'] === outcome));
  const stillWorks = async () => expect((await host.deliver(webhook())).status).toBe(200);

  beforeAll(async () => {
    host = await bootHost(adapter);
  });

  beforeEach(async () => {
    for (const table of ['livekit_bodies', 'livekit_events', 'livekit_quarantine']) {
      await host.rows(`DELETE FROM ${table}`);
    }
    host.logger.lines.length = 0;
    connection = await RawConnection.open(host.url);
  });

  afterEach(() => connection.cut());
  afterAll(() => host.close());

  test('chunked: in pieces, and cut in the middle of a character', async () => {
    const body = Buffer.from(webhook({ room: { sid: 'RM_1', name: 'Zürich 東京' } }));
    connection.head(chunkedHead(body.toString(), host.path));
    const middle = body.indexOf('東') + 1;
    connection.chunk(body.subarray(0, middle)).chunk(body.subarray(middle)).lastChunk();
    expect(await connection.answer()).toMatchObject({ status: 200, text: '{"status":"accepted"}' });
    expect(await stored()).toMatchObject([{ room_name: 'Zürich 東京' }]);
  });

  test('byte by byte', async () => {
    const body = webhook();
    connection.head(sizedHead(body, host.path));
    for (const byte of Buffer.from(body)) connection.write(Buffer.of(byte));
    expect((await connection.answer()).status).toBe(200);
  });

  test('after 100 Continue', async () => {
    const body = webhook();
    connection.head(sizedHead(body, host.path, { Expect: '100-continue' })).write(body);
    expect(await connection.answer()).toMatchObject({ status: 200, interim: [100] });
  });

  test('one after the other on one connection, good ones and bad ones', async () => {
    const good = webhook();
    for (const [body, status] of [
      [good, 200],
      ['no event', 400],
      [webhook(), 200],
      ['', 400],
      [good, 200],
    ] as const) {
      connection.head(sizedHead(body, host.path)).write(body);
      expect((await connection.answer()).status).toBe(status);
    }
  });

  test('exactly as large as the limit: accepted', async () => {
    const empty = webhook({ id: newId(), metadata: '' });
    const body = empty.replace('"metadata":""', `"metadata":"${'x'.repeat(LIMIT - empty.length)}"`);
    expect(body).toHaveLength(LIMIT);
    connection.head(sizedHead(body, host.path)).write(body);
    expect((await connection.answer()).status).toBe(200);
  });

  test('declared a byte larger than the limit: 413 before a byte of it is sent', async () => {
    connection.head(headOf('', { 'Content-Length': String(LIMIT + 1) }, host.path));
    expect(await connection.answer()).toMatchObject({ status: 413, text: '{"status":"too_large"}' });
    expect(host.receipts().at(-1)).toMatchObject({ outcome: 'too_large', status: 413 });
  });

  test('chunked and too large: 413 as soon as it is, and nothing stored', async () => {
    connection.head(chunkedHead('', host.path)).chunk(Buffer.alloc(LIMIT)).chunk('one more');
    expect(await connection.answer()).toMatchObject({ status: 413, text: '{"status":"too_large"}' });
    expect(await everything()).toEqual([]);
    await stillWorks();
  });

  test('compressed: 415, whatever is in it', async () => {
    const body = webhook();
    for (const encoding of ['gzip', 'br', 'deflate', 'gzip, identity']) {
      connection.head(sizedHead(body, host.path, { 'Content-Encoding': encoding })).write(body);
      expect((await connection.answer()).status).toBe(415);
    }
    connection.head(sizedHead(body, host.path, { 'Content-Encoding': 'Identity' })).write(body);
    expect((await connection.answer()).status).toBe(200);
  });

  test.each([
    ['of a known length', sizedHead],
    ['in chunks', chunkedHead],
  ])('cut off, %s: nothing is stored, and nobody is harmed', async (_how, head) => {
    const body = webhook();
    connection.head(head(body, host.path, { Expect: '100-continue' }));
    await connection.continued();
    connection.write(head === chunkedHead ? '10\r\n{"event":"x"' : body.slice(0, -1));
    connection.cut();
    await heard('cut_off');
    expect(host.receipts()).toMatchObject([{ outcome: 'cut_off' }]);
    expect(await everything()).toEqual([]);
    await stillWorks();
  });

  test('chunks that lie about their size: refused, nothing stored', async () => {
    connection.head(chunkedHead('', host.path)).write('zz\r\n{}\r\n');
    expect((await connection.answer()).status).toBe(400);
    await connection.closed();
    expect(await everything()).toEqual([]);
    await stillWorks();
  });

  test('a length and chunks at once, as smugglers send it: refused, nothing stored', async () => {
    const body = webhook();
    connection.head(sizedHead(body, host.path, { 'Transfer-Encoding': 'chunked' })).write(body);
    expect((await connection.answer()).status).toBe(400);
    expect(await stored()).toEqual([]);
  });
});

describe.each(ADAPTERS)('a body that does not arrive on %s', (adapter) => {
  let host: Host;
  let connection: RawConnection;

  beforeEach(async () => {
    host = await bootHost(adapter, { ownParser: true, webhooks: { bodyTimeout: 200 } });
    connection = await RawConnection.open(host.url);
  });

  afterEach(async () => {
    connection.cut();
    await host.close();
  });

  test.each([
    ['of a known length', sizedHead],
    ['in chunks', chunkedHead],
  ])('%s: 503, and the connection is closed', async (_how, head) => {
    const body = webhook();
    connection.head(head(body, host.path));
    const { status, headers, text } = await connection.answer();
    expect([status, headers['connection'], text]).toEqual([503, 'close', '{"status":"unfinished"}']);
    await connection.closed();
    expect(host.receipts()).toMatchObject([{ outcome: 'unfinished', status: 503 }]);
    expect(await host.rows('SELECT * FROM livekit_events')).toEqual([]);
    await until('a delivery in time', async () => (await host.deliver(body)).status === 200);
  });

  test.each<[string, string, Record<string, string>, number]>([
    ['too large', 'POST', { 'Content-Length': String(LIMIT + 1) }, 413],
    ['compressed', 'POST', { 'Content-Length': '9', 'Content-Encoding': 'gzip' }, 415],
    ['a PUT', 'PUT', { 'Content-Length': '9' }, 405],
  ])(
    'though it is refused as %s: the connection is closed all the same',
    async (_why, method, headers, status) => {
      connection.head({ ...headOf('', headers, host.path), method });
      expect((await connection.answer()).status).toBe(status);
      await connection.closed();
    },
  );
});
