import { validateSync } from 'class-validator';
import fc from 'fast-check';
import {
  isPlainlyValid,
  occurredAtOf,
  WebhookEventDto,
  WebhookParticipantDto,
  WebhookRoomDto,
} from '../../../src/livekit-webhook/dto/webhook-event.dto.js';
import { InvalidWebhookError } from '../../../src/livekit-webhook/errors.js';
import { deliveries, scenarios } from '../../support/captures.js';

const EVENT = {
  event: 'room_started',
  id: 'EV_1',
  createdAt: '1795423728',
  room: { sid: 'RM_1', name: 'call-1' },
};

describe('what a webhook event looks like', () => {
  test.each(scenarios())('like every one of %s', (scenario) => {
    for (const { body } of deliveries(scenario)) {
      const json = JSON.parse(body);
      const dto = WebhookEventDto.from(json);
      expect(dto).toMatchObject({ event: json.event, id: json.id, createdAt: Number(json.createdAt) });
      expect(dto.room?.sid).toBe(json.room?.sid ?? json.egressInfo?.roomId);
    }
  });

  test.each(scenarios())('plainly so in all of %s, without the validator', (scenario) => {
    for (const { body } of deliveries(scenario)) {
      expect(isPlainlyValid(WebhookEventDto.from(JSON.parse(body)))).toBe(true);
    }
  });

  test('is never plain where the validator would refuse it', () => {
    const text = fc.oneof(
      { weight: 6, arbitrary: fc.string({ maxLength: 8 }) },
      fc.constantFrom(255, 256, 512, 513).map((length) => 'x'.repeat(length)),
      fc.string({ unit: 'grapheme', minLength: 250, maxLength: 260, size: 'max' }),
    );
    const odd = fc.constantFrom(undefined, null, 0, -1, 1.5, NaN, true, [], {});
    const any = fc.oneof({ weight: 8, arbitrary: text }, odd);
    const of = (type: new () => object, fields: object) =>
      fc.oneof(
        { weight: 4, arbitrary: fc.record(fields).map((given) => Object.assign(new type(), given)) },
        any,
      );
    const dto = fc.record({
      event: any,
      id: any,
      createdAt: fc.oneof(odd, fc.integer(), fc.constantFrom(253_402_300_799, 253_402_300_800, Infinity)),
      room: of(WebhookRoomDto, { sid: any, name: any }),
      participant: of(WebhookParticipantDto, { sid: any, identity: any }),
    });
    let plain = 0;
    fc.assert(
      fc.property(dto, (fields) => {
        const event = Object.assign(new WebhookEventDto(), fields) as WebhookEventDto;
        if (!isPlainlyValid(event)) return;
        plain += 1;
        expect(validateSync(event)).toEqual([]);
      }),
      { numRuns: 5_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  test('may have names as long as they may be in characters that take two', () => {
    const name = '\u{1F600}'.repeat(512);
    const participant = { sid: 'PA_1', identity: name };
    expect(WebhookEventDto.from({ ...EVENT, room: { name }, participant })).toMatchObject({
      room: { name },
      participant,
    });
  });

  test('has no name of more characters than that, whatever they are', () => {
    const name = '\u{1F600}\uFE0F'.repeat(300); // what an emoji looks like is a character of its own
    expect(() => WebhookEventDto.from({ ...EVENT, room: { name } })).toThrow(InvalidWebhookError);
  });

  test('has a name, and need have nothing else', () => {
    expect(WebhookEventDto.from({ event: 'room_started' })).toEqual({ event: 'room_started' });
  });

  test('takes no id, an empty one and null for none', () => {
    for (const id of [undefined, '', null]) expect(WebhookEventDto.from({ ...EVENT, id }).id).toBeUndefined();
  });

  test('tells its time in milliseconds, from text or number', () => {
    expect(WebhookEventDto.from(EVENT).occurredAt).toBe(1_795_423_728_000);
    expect(WebhookEventDto.from({ ...EVENT, createdAt: 1 }).occurredAt).toBe(1_000);
    for (const createdAt of [undefined, null, 0, '0'])
      expect(WebhookEventDto.from({ ...EVENT, createdAt }).occurredAt).toBeUndefined();
  });

  test('has its room in its info, where older servers put it for egress and ingress', () => {
    const egressInfo = { roomId: 'RM_2', roomName: 'call-2' };
    const ingressInfo = { roomName: 'call-3' };
    const of = (more: object) => WebhookEventDto.from({ event: 'egress_ended', ...more }).room;
    expect(of({ egressInfo })).toEqual({ sid: 'RM_2', name: 'call-2' });
    expect(of({ ingressInfo })).toEqual({ sid: undefined, name: 'call-3' });
    expect(of({ egressInfo, room: { sid: 'RM_1' } })).toMatchObject({ sid: 'RM_1' });
    expect(of({ egressInfo: 'text' })).toBeUndefined();
  });

  test('has its room in its job, where it tells of an agent', () => {
    const of = (job: unknown) => WebhookEventDto.from({ event: 'agent_job_ended', job }).room;
    expect(of({ id: 'AJ_1', room: { sid: 'RM_4', name: 'call-4' } })).toEqual({
      sid: 'RM_4',
      name: 'call-4',
    });
    for (const job of ['text', {}, { room: 'text' }]) expect(of(job)).toBeUndefined();
  });

  test('leaves out what the edge does not look at, above all what a body would like to set', () => {
    const json = JSON.parse(
      '{"event":"x","__proto__":{"id":"EV_evil"},"occurredAt":1,"room":{"__proto__":{"sid":"RM_evil"}}}',
    );
    const dto = WebhookEventDto.from(json);
    expect(Object.getPrototypeOf(dto)).toBe(WebhookEventDto.prototype);
    expect([dto.id, dto.occurredAt, dto.room?.sid]).toEqual([undefined, undefined, undefined]);
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'the body is not a JSON object'],
    ['null', null, 'the body is not a JSON object'],
    ['a list', [EVENT], 'the body is not a JSON object'],
    ['a text', 'room_started', 'the body is not a JSON object'],
    ['no name', { ...EVENT, event: undefined }, '`event`'],
    ['an empty name', { ...EVENT, event: '' }, '`event`'],
    ['a name too long', { ...EVENT, event: 'x'.repeat(256) }, '`event`'],
    ['an id that is a number', { ...EVENT, id: 0 }, '`id`'],
    ['an id too long', { ...EVENT, id: 'x'.repeat(256) }, '`id`'],
    ['a time with a fraction', { ...EVENT, createdAt: 1.5 }, '`createdAt`'],
    ['a time before 1970', { ...EVENT, createdAt: '-1' }, '`createdAt`'],
    ['a time in words', { ...EVENT, createdAt: 'now' }, '`createdAt`'],
    ['a time too far ahead', { ...EVENT, createdAt: '253402300800' }, '`createdAt`'],
    ['a room that is a text', { ...EVENT, room: 'call-1' }, '`room`'],
    ['a room that is a list', { ...EVENT, room: [] }, '`room`'],
    ['a sid that is a number', { ...EVENT, room: { sid: 1 } }, '`room`'],
    ['a sid too long', { ...EVENT, room: { sid: 'x'.repeat(256) } }, '`room`'],
    ['a room name too long', { ...EVENT, room: { name: 'x'.repeat(513) } }, '`room`'],
    ['a participant that is true', { ...EVENT, participant: true }, '`participant`'],
    ['an identity that is an object', { ...EVENT, participant: { identity: {} } }, '`participant`'],
  ])('does not have %s; the error names the place and no content', (_what, json, place) => {
    expect(() => WebhookEventDto.from(json)).toThrow(InvalidWebhookError);
    expect(() => WebhookEventDto.from(json)).toThrow(place);
    expect(() => WebhookEventDto.from(json)).not.toThrow(/xxx|call-1/);
  });
});

describe('when JSON that may be no event says it was sent', () => {
  test.each([
    [{ createdAt: '1795423728' }, 1_795_423_728_000],
    [{ createdAt: 5 }, 5_000],
    [{ createdAt: 'now' }, undefined],
    [{ createdAt: null }, undefined],
    [{ createdAt: '0' }, undefined],
    [{ createdAt: 0 }, undefined],
    [{ createdAt: {} }, undefined],
    [{}, undefined],
    [[], undefined],
    ['text', undefined],
    [undefined, undefined],
  ])('%j: %j', (json, time) => {
    expect(occurredAtOf(json)).toBe(time);
  });
});
