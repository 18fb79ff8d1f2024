import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { bytes } from '../../../src/database/sql.js';
import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { rawRequest } from '../../support/raw-http.js';
import { mintToken, sha256 } from '../../support/signing.js';
import { newId, NOW, webhook } from '../../support/webhook.js';

// What is stored must also survive being decoded, which happens as soon as anybody listens.
class Listener {
  @OnEvent('livekit.**')
  hear(): void {}
}

const deep = (open: string, close: string, core = ''): string =>
  open.repeat(100_000) + core + close.repeat(100_000);
const withField = (name: string, json: string): string => webhook().replace(/}$/, `,"${name}":${json}}`);

/** No event, though signed rightly. */
const NO_EVENTS: [string, Buffer | string][] = [
  ['nothing', ''],
  ['blanks', '   '],
  ['truncated JSON', webhook().slice(0, -1)],
  ['two events', webhook() + webhook()],
  ['an XML document', '<event>room_started</event>'],
  ['a list', `[${webhook()}]`],
  ['a text', JSON.stringify(webhook())],
  ['a number', '1'],
  ['null', 'null'],
  ['an empty object', '{}'],
  ['an event in its prototype', '{"__proto__":{"event":"room_started","id":"EV_1"}}'],
  ['100,000 open brackets', '['.repeat(100_000)],
  ['100,000 nested lists', deep('[', ']')],
  ['100,000 nested lists for an id', withField('id', deep('[', ']'))],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x80])],
  ['a NUL', '\0'],
  ['an event name that is a number', webhook({ event: 1 })],
  ['an event name that is null', webhook({ event: null })],
  ['an event name of 300 characters', webhook({ event: 'e'.repeat(300) })],
  ['an id that is a number', webhook({ id: 1 })],
  ['an id of 300 characters', webhook({ id: 'i'.repeat(300) })],
  ['a room that is a text', webhook({ room: 'call-1' })],
  ['a room that is a list', webhook({ room: [] })],
  ['a room that is a list of rooms', webhook({ room: [{ sid: 'RM_1' }] })],
  ['a room of 100,000 nested lists', withField('room', deep('[', ']'))],
  ['a participant of 100,000 nested lists', withField('participant', deep('[', ']'))],
  ['a room sid that is an object', webhook({ room: { sid: {} } })],
  ['a room name of 600 characters', webhook({ room: { name: 'n'.repeat(600) } })],
  ['a participant that is a number', webhook({ participant: 1 })],
  ['a participant that is a list', webhook({ participant: [] })],
  ['a participant identity that is a list', webhook({ participant: { identity: ['a'] } })],
  ...['', 'abc', '1.5', '1e3', ' 5', '٣', '99999999999999999999', 1.5, -1, 1e20, true, [], {}].map(
    (createdAt): [string, string] => [`createdAt ${JSON.stringify(createdAt)}`, webhook({ createdAt })],
  ),
  ['createdAt 1e999', withField('createdAt', '1e999')],
  ['createdAt in the year 10000', webhook({ createdAt: 253_402_300_800 })],
];

/** Strange, and still events: what the row of each has to say. */
const EVENTS: [string, Buffer | string, Record<string, unknown>][] = [
  ['fields nobody knows', withField('future', '{"of":["LiveKit",null]}'), {}],
  ['100,000 nested lists in a field nobody knows', withField('future', deep('[', ']')), {}],
  ['100,000 nested objects in a field that is known', withField('track', deep('{"sid":', '}', '1')), {}],
  ['a duplicate key', withField('event', '"participant_left"'), { name: 'participant_left' }],
  ['__proto__', withField('__proto__', '{"event":"room_started"}'), { name: 'participant_joined' }],
  ['__proto__ in the room', withField('room', '{"__proto__":{"sid":"RM_evil"}}'), { room_sid: null }],
  ['a name of Object.prototype', webhook({ event: 'constructor' }), { name: 'constructor' }],
  ['the name __proto__', webhook({ event: '__proto__' }), { name: '__proto__' }],
  ['a wildcard for a name', webhook({ event: '**' }), { name: '**' }],
  ['half a surrogate pair', withField('room', String.raw`{"name":"a\ud83db"}`), { room_name: 'a\ufffdb' }],
  ['the other half', withField('room', String.raw`{"name":"\udf99"}`), { room_name: '\ufffd' }],
  [
    'a NUL in a name',
    webhook({ room: { name: 'a\0b', sid: '\0' } }),
    { room_name: 'a\u2400b', room_sid: '\u2400' },
  ],
  [
    'invalid UTF-8',
    Buffer.concat([
      Buffer.from(`{"event":"room_started","id":"${newId()}","room":{"name":"a`),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}}'),
    ]),
    { room_name: 'a\ufffd(' },
  ],
  ['no room', webhook({ room: null, participant: null }), { room_sid: null, room_name: null }],
  ['a room without a word', webhook({ room: {} }), { room_sid: null, room_name: null }],
  ['names that are empty', webhook({ room: { sid: '', name: '' } }), { room_sid: null, room_name: null }],
  [
    'SQL for a name',
    webhook({ room: { name: `'; DROP TABLE livekit_events; --` } }),
    { room_name: `'; DROP TABLE livekit_events; --` },
  ],
  [
    'a room name of 512 emoji halves',
    webhook({ room: { name: '🎙'.repeat(256) } }),
    { room_name: '🎙'.repeat(256) },
  ],
  [
    'an egress whose room is in its info',
    webhook({ event: 'egress_ended', room: undefined, egressInfo: { roomId: 'RM_9', roomName: 'nine' } }),
    { room_sid: 'RM_9', room_name: 'nine' },
  ],
  ['no createdAt', webhook({ createdAt: undefined }), { occurred_at: NOW + 500 }],
  ['createdAt null', webhook({ createdAt: null }), { occurred_at: NOW + 500 }],
  ['createdAt as a number', webhook({ createdAt: 1_795_000_000 }), { occurred_at: 1_795_000_000_000 }],
  ['createdAt 0', webhook({ createdAt: '0' }), { occurred_at: NOW + 500 }],
  [
    'createdAt in the year 9999',
    webhook({ createdAt: 253_402_300_799 }),
    { occurred_at: 253_402_300_799_000 },
  ],
  ['blanks around it', ` \r\n\t${webhook()}\n`, {}],
  ['900 KB of it', webhook({ room: { name: 'call-1', metadata: 'm'.repeat(900_000) } }), {}],
];

describe.each(ADAPTERS)('bad input on %s', (adapter) => {
  let host: Host;

  const events = (body: Buffer | string) =>
    host.rows<Record<string, unknown> & { raw: Buffer }>(
      'SELECT e.*, b.raw FROM livekit_events e LEFT JOIN livekit_bodies b ON b.event_seq = e.seq WHERE body_sha256 = ?',
      [sha256(body)],
    );
  const quarantined = (body: Buffer | string) =>
    host.rows<{ reason: string; raw: Buffer }>('SELECT * FROM livekit_quarantine WHERE sha256 = ?', [
      sha256(body),
    ]);
  const stillWorks = async () => expect((await host.deliver(webhook())).text).toBe('{"status":"accepted"}');

  beforeAll(async () => {
    host = await bootHost(adapter, {
      imports: [EventEmitterModule.forRoot({ wildcard: true })],
      providers: [Listener],
      webhooks: { events: '*' },
    });
    host.clock.set(NOW + 500);
  });

  afterAll(async () => {
    const [orphans] = await host.rows(
      `SELECT count(*) AS n FROM livekit_events e FULL JOIN livekit_bodies b ON b.event_seq = e.seq
       WHERE e.seq IS NULL OR b.event_seq IS NULL`,
    );
    expect(Number(orphans?.['n'])).toBe(0);
    await host.close();
  });

  test.each(NO_EVENTS)('%s: 400, kept in quarantine and nowhere else', async (_what, body) => {
    const { status, text } = await host.deliver(body);
    expect([status, text]).toEqual([400, '{"status":"invalid"}']);
    expect(await events(body)).toEqual([]);
    const [kept] = await quarantined(body);
    expect(kept?.reason).toBe('invalid');
    expect(bytes(kept?.raw as Buffer).equals(Buffer.from(body))).toBe(true);
    await stillWorks();
  });

  test.each(EVENTS)('%s: an event, stored byte for byte', async (_what, body, row) => {
    const { status, text } = await host.deliver(body);
    expect([status, text]).toEqual([200, '{"status":"accepted"}']);
    const [stored, ...others] = await events(body);
    expect(others).toEqual([]);
    expect({ ...stored, occurred_at: Number(stored?.['occurred_at']) }).toMatchObject(row);
    expect(bytes(stored?.raw as Buffer).equals(Buffer.from(body))).toBe(true);
    expect(await quarantined(body)).toEqual([]);
    await stillWorks();
  });

  test.each([
    ['without an id', undefined],
    ['with an empty id', ''],
    ['whose id is null', null],
  ])('an event %s goes by its bytes: the same are a duplicate, others another event', async (_what, id) => {
    const body = webhook({ id, metadata: newId() });
    expect((await host.deliver(body)).text).toBe('{"status":"accepted"}');
    expect((await host.deliver(body)).text).toBe('{"status":"duplicate"}');
    expect(await events(body)).toMatchObject([{ event_id: `sha256:${sha256(body)}` }]);
    expect((await host.deliver(webhook({ id, metadata: newId() }))).text).toBe('{"status":"accepted"}');
  });

  test('a NUL in an id is kept as its symbol, and the event is still known again', async () => {
    const id = `${newId()}\0x`;
    const body = webhook({ id });
    expect((await host.deliver(body)).text).toBe('{"status":"accepted"}');
    expect((await host.deliver(body)).text).toBe('{"status":"duplicate"}');
    expect(await events(body)).toMatchObject([{ event_id: id.replace('\0', '\u2400') }]);
  });

  test('2 MB are refused unread, and nothing of them is kept', async () => {
    const body = webhook({ metadata: 'm'.repeat(2 * 1024 * 1024) });
    const headers = { Authorization: mintToken(body, host.clock.now()) };
    const answer = await rawRequest(host.url, { path: host.path, headers, body });
    expect([answer.status, answer.text]).toEqual([413, '{"status":"too_large"}']);
    expect([await events(body), await quarantined(body)]).toEqual([[], []]);
    await stillWorks();
  });
});
