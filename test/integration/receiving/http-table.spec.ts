import { EventStore } from '../../../src/database/event-store.js';
import { bytes } from '../../../src/database/sql.js';
import { ADAPTERS, bootHost, EVERYTHING, type Host, type HostShape } from '../../support/host.js';
import { hmacOf, sha256 } from '../../support/signing.js';
import { newId, NOW, webhook } from '../../support/webhook.js';

const SHAPES: [string, HostShape][] = [
  ['on its own', {}],
  ['in a host with everything global', EVERYTHING],
];

describe.each(ADAPTERS)('the answers on %s', (adapter) => {
  describe.each(SHAPES)('%s', (_name, shape) => {
    let host: Host;

    const eventsOf = (id: string) =>
      host.rows<{ name: string; raw: Buffer }>(
        'SELECT e.*, b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq WHERE e.event_id = ?',
        [id],
      );
    const quarantined = (body: Buffer | string) =>
      host.rows<{ reason: string; raw: Buffer; times: number }>(
        'SELECT * FROM livekit_quarantine WHERE sha256 = ?',
        [sha256(body)],
      );
    const count = async (): Promise<number[]> =>
      Promise.all(
        ['livekit_events', 'livekit_bodies', 'livekit_quarantine'].map(async (table) => {
          const [row] = await host.rows(`SELECT count(*) AS n FROM ${table}`);
          return Number(row?.['n']);
        }),
      );

    beforeAll(async () => {
      host = await bootHost(adapter, shape);
    });

    afterAll(() => host.close());

    test('a new event is stored, byte for byte, and accepted', async () => {
      const id = newId();
      const body = webhook({ id });
      const { status, headers, text } = await host.deliver(body);
      expect([status, text]).toEqual([200, '{"status":"accepted"}']);
      expect(headers.get('content-type')).toMatch(/^application\/json/);
      const [stored, ...others] = await eventsOf(id);
      expect(others).toEqual([]);
      expect(stored).toMatchObject({ source: 'default', kind: 'livekit', name: 'participant_joined' });
      expect(stored).toMatchObject({ room_sid: 'RM_test', room_name: 'call-1', body_sha256: sha256(body) });
      expect(bytes(stored?.raw as Buffer).toString()).toBe(body);
    });

    test('an event signed by HMAC is accepted just so', async () => {
      const body = webhook();
      const headers = { authorization: null, 'x-livekit-signature': hmacOf(body) };
      const { status, text } = await host.deliver(body, { headers });
      expect([status, text]).toEqual([200, '{"status":"accepted"}']);
    });

    test('the same event again is a duplicate, and stored once', async () => {
      const id = newId();
      const body = webhook({ id });
      await host.deliver(body);
      const { status, text } = await host.deliver(body);
      expect([status, text]).toEqual([200, '{"status":"duplicate"}']);
      expect(await eventsOf(id)).toHaveLength(1);
      expect(host.receipts().at(-1)).toMatchObject({ outcome: 'duplicate', id });
    });

    test('the same id with other bytes is a duplicate to its sender and a conflict to us, which quarantine keeps', async () => {
      const id = newId();
      await host.deliver(webhook({ id }));
      const other = webhook({ id, room: { sid: 'RM_other' } });
      const { status, text } = await host.deliver(other);
      expect([status, text]).toEqual([200, '{"status":"duplicate"}']);
      expect(await eventsOf(id)).toMatchObject([{ room_sid: 'RM_test' }]);
      const [kept] = await quarantined(other);
      expect(kept?.reason).toBe('conflict');
      expect(bytes(kept?.raw as Buffer).toString()).toBe(other);
      expect(host.receipts().at(-1)).toMatchObject({ outcome: 'conflict', id });
    });

    test('an event at or below the dedup floor is too old, and not stored', async () => {
      const floor = NOW - 3_600_000;
      await host.app
        .get(EventStore)
        .write((manager) =>
          manager.query(
            `INSERT INTO livekit_floors (source, occurred_at) VALUES ('default', ${floor}) ON CONFLICT (source) DO NOTHING`,
          ),
        );
      const id = newId();
      const { status, text } = await host.deliver(webhook({ id, createdAt: String(floor / 1000) }));
      expect([status, text]).toEqual([200, '{"status":"too_old"}']);
      expect(await eventsOf(id)).toEqual([]);
      expect(host.receipts().at(-1)).toMatchObject({ outcome: 'too_old', id });
      expect(host.logger.lines.at(-1)?.level).toBe('warn');
    });

    test.each([
      ['an event that nobody subscribed to', 'track_published', 'unsubscribed'],
      ['an event whose name nobody knows', 'moon_landed', 'unknown'],
    ])('%s is stored and accepted all the same', async (_what, event, outcome) => {
      const id = newId();
      const { status, text } = await host.deliver(webhook({ id, event }));
      expect([status, text]).toEqual([200, '{"status":"accepted"}']);
      expect(await eventsOf(id)).toMatchObject([{ name: event }]);
      expect(host.receipts().at(-1)).toMatchObject({ outcome, event });
    });

    test.each([
      ['an empty body', ''],
      ['what is no JSON', 'event=room_started'],
      ['JSON that is no object', '[1,2,3]'],
      ['an object that is no event', '{"hello":"world"}'],
      ['an event without a name', webhook({ event: '' })],
      ['an event whose name is no text', webhook({ event: 7 })],
      ['an event whose id is no text', webhook({ id: { a: 1 } })],
    ])('%s, signed rightly, is invalid, and its bytes are kept', async (_what, body) => {
      const { status, text } = await host.deliver(body);
      expect([status, text]).toEqual([400, '{"status":"invalid"}']);
      const [kept] = await quarantined(body);
      expect(kept?.reason).toBe('invalid');
      expect(bytes(kept?.raw as Buffer).toString()).toBe(body);
      expect(host.receipts().at(-1)).toMatchObject({ outcome: 'invalid', status: 400 });
    });

    test.each<[string, Parameters<Host['deliver']>[1], string]>([
      ['without a signature', { headers: { authorization: null } }, 'missing'],
      ['with a bad one', { headers: { authorization: 'nonsense' } }, 'malformed'],
      ['by another secret', { token: { secret: 'another-secret' } }, 'signature'],
      ['by a key that nobody knows', { token: { claims: { iss: 'APIother' } } }, 'unknown_key'],
      ['expired', { token: { claims: { exp: 1_700_000_300, nbf: 1_700_000_000 } } }, 'expired'],
    ])(
      'a request %s is unauthorized: its sender is told no reason, the log is',
      async (_what, how, reason) => {
        const before = await count();
        const { status, text } = await host.deliver(webhook(), how);
        expect([status, text]).toEqual([401, '{"status":"unauthorized"}']);
        expect(host.receipts().at(-1)).toMatchObject({ outcome: 'unauthorized', reason, status: 401 });
        expect(await count()).toEqual(before);
      },
    );

    test('a stale HMAC is unauthorized', async () => {
      const body = webhook({ createdAt: '1700000000' });
      const headers = { authorization: null, 'x-livekit-signature': hmacOf(body) };
      const { status, text } = await host.deliver(body, { headers });
      expect([status, text]).toEqual([401, '{"status":"unauthorized"}']);
      expect(host.receipts().at(-1)).toMatchObject({ reason: 'stale' });
    });

    test('a body that says it is too large is refused, and a compressed one', async () => {
      const before = await count();
      const large = await host.deliver(webhook({ metadata: 'x'.repeat(1024 * 1024) }));
      expect([large.status, large.text]).toEqual([413, '{"status":"too_large"}']);
      const body = webhook();
      const zipped = await host.deliver(body, { headers: { 'content-encoding': 'gzip' } });
      expect([zipped.status, zipped.text]).toEqual([415, '{"status":"unsupported_encoding"}']);
      expect(await count()).toEqual(before);
    });

    test.each([
      'application/json',
      'text/plain',
      'application/octet-stream',
      'multipart/form-data',
      'nonsense',
      '',
    ])('the content type %j makes no difference', async (contentType) => {
      const { status, text } = await host.deliver(webhook(), { headers: { 'content-type': contentType } });
      expect([status, text]).toEqual([200, '{"status":"accepted"}']);
    });

    test('a store that fails is 503 with seven seconds to wait, until it is back', async () => {
      const body = webhook();
      await host.rows('ALTER TABLE livekit_events RENAME TO livekit_events_away');
      const failed = await host.deliver(body);
      await host.rows('ALTER TABLE livekit_events_away RENAME TO livekit_events');
      expect([failed.status, failed.text]).toEqual([503, '{"status":"unavailable"}']);
      expect(failed.headers.get('retry-after')).toBe('7');
      expect((await host.deliver(body)).text).toBe('{"status":"accepted"}');
    });

    test('bytes that can be kept nowhere are 503, not 400', async () => {
      await host.rows('ALTER TABLE livekit_quarantine RENAME TO livekit_quarantine_away');
      const { status, headers } = await host.deliver('not JSON at all');
      await host.rows('ALTER TABLE livekit_quarantine_away RENAME TO livekit_quarantine');
      expect([status, headers.get('retry-after')]).toEqual([503, '7']);
    });
  });
});
