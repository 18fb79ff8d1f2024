import { WebhookEvent } from 'livekit-server-sdk';
import { LIVEKIT_EVENT_NAMES } from '../../../src/index.js';
import { TestClock, webhookBody, WebhookTestingError } from '../../../src/testing/index.js';

const clock = new TestClock('2026-11-23T08:48:48.435Z');

describe('a webhook that a test makes', () => {
  test.each(LIVEKIT_EVENT_NAMES)('is one that LiveKit could send: %s', (event) => {
    const body = webhookBody({ event }, clock);
    const decoded = WebhookEvent.fromJsonString(body);
    expect(decoded).toMatchObject({ event, createdAt: 1_795_423_728n });
    expect(decoded.id).toMatch(/^EV_\w{12}$/);
  });

  test('carries what its event is sure to carry', () => {
    const fields = (event: (typeof LIVEKIT_EVENT_NAMES)[number]) =>
      Object.keys(JSON.parse(webhookBody({ event }, clock))).filter(
        (field) => !['event', 'id', 'createdAt'].includes(field),
      );
    expect(fields('room_started')).toEqual(['room']);
    expect(fields('participant_left')).toEqual(['room', 'participant']);
    expect(fields('track_published')).toEqual(['room', 'participant', 'track']);
    expect(fields('egress_ended')).toEqual(['room', 'egressInfo']);
    expect(fields('ingress_started')).toEqual(['ingressInfo']);
    expect(fields('agent_job_ended')).toEqual(['room']);
  });

  test('says what it is told, and is of the same room and participant whenever it names the same', () => {
    const room = { name: 'order-4711' };
    const participant = { identity: 'ann', kind: 'SIP', attributes: { 'sip.callID': 'SCL_1' } };
    const joined = JSON.parse(webhookBody({ event: 'participant_joined', room, participant }, clock));
    expect(joined).toMatchObject({
      room: { name: 'order-4711', creationTimeMs: '1795423728435' },
      participant: { ...participant, state: 'ACTIVE', joinedAt: '1795423728', joinedAtMs: '1795423728435' },
    });
    const left = JSON.parse(
      webhookBody({ event: 'participant_left', room, participant: { identity: 'ann' } }, clock),
    );
    expect(left.participant).toMatchObject({
      sid: joined.participant.sid,
      disconnectReason: 'CLIENT_INITIATED',
    });
    const recorded = JSON.parse(webhookBody({ event: 'egress_ended', room }, clock));
    expect(recorded.egressInfo).toMatchObject({ roomId: joined.room.sid, status: 'EGRESS_COMPLETE' });
    const other = JSON.parse(webhookBody({ event: 'room_started' }, clock));
    expect(other.room.sid).not.toBe(joined.room.sid);
    expect(other.id).not.toBe(joined.id);
  });

  test('is refused where LiveKit knows no such value, and by the compiler where it knows no such field', () => {
    const made = () =>
      webhookBody({ event: 'participant_left', participant: { disconnectReason: 'BORED' } }, clock);
    expect(made).toThrow(WebhookTestingError);
    expect(made).toThrow(/BORED.*write the body by hand/);
    // @ts-expect-error the end of a room has no participant
    webhookBody({ event: 'room_finished', participant: { identity: 'ann' } }, clock);
    // @ts-expect-error LiveKit has no such event
    expect(JSON.parse(webhookBody({ event: 'moon_landed' }, clock)).event).toBe('moon_landed');
    // @ts-expect-error a room has no such field
    expect(() => webhookBody({ event: 'room_started', room: { colour: 'red' } }, clock)).toThrow(/colour/);
  });

  test('is of what is given: what is undefined is made up as if it were left out', () => {
    const sparse = {
      event: 'participant_joined',
      room: { name: 'a' },
      participant: { kind: 'SIP' },
    } as const;
    const { id: _, ...body } = JSON.parse(
      webhookBody(
        {
          ...sparse,
          id: undefined,
          room: { name: 'a', sid: undefined },
          participant: { kind: 'SIP', identity: undefined, permission: { canPublish: undefined } },
        },
        clock,
      ),
    );
    expect(body).toEqual({
      ...JSON.parse(
        webhookBody({ ...sparse, id: 'EV_1', participant: { kind: 'SIP', permission: {} } }, clock),
      ),
      id: undefined,
    });
  });
});
