import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { TestClock } from '../../../src/testing/test-clock.js';
import { type CapturedDelivery, deliveries } from '../../support/captures.js';
import { is, sessionHosts, without } from '../../support/session-host.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('a session', () => {
  const hosts = sessionHosts();

  test('is told of as it goes on: each change once, in the order it happens', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    await host.pass(30 * SECOND);
    expect(host.events.map((event) => [event.name, who(event)])).toEqual([
      ['session.started', undefined],
      ['session.participant_joined', 'support-agent'],
      ['session.participant_joined', 'caller-1001'],
      ['session.participant_left', 'caller-1001'],
      ['session.participant_left', 'support-agent'],
      ['session.ended', undefined],
      ['session.settled', undefined],
    ]);
    const [settled] = host.eventsOf('session.settled');
    expect(settled).toMatchObject({ version: 1, project: 'default', sessionId: 'call-1001' });
    expect(settled?.session).toEqual(await host.session());
    const [left] = host.eventsOf('session.participant_left');
    expect(left).toMatchObject({
      occurredAt: Date.parse('2026-11-23T08:48:53.000Z'),
      session: { sessionId: 'call-1001', state: 'active' },
      participant: { identity: 'caller-1001', connection: { reason: 'CLIENT_INITIATED' } },
    });
    expect(left?.session).not.toHaveProperty('participants');
  });

  test('is told of where nobody says when its room was made', async () => {
    const host = await hosts.boot();
    for (const { body } of deliveries('two-party-call'))
      await host.tester.deliver(body.replace(/\s*"creationTime(?:Ms)?":\s*"\d+",/g, ''));
    await host.tester.drain();
    await host.pass(MINUTE);
    const [started] = host.eventsOf('session.started');
    const [settled] = host.eventsOf('session.settled');
    expect(started?.session).toMatchObject({ startedAt: '2026-11-23T08:48:48.000Z' });
    expect(settled?.session).toMatchObject({
      sessionId: 'call-1001',
      disposition: 'completed',
      inferred: [],
    });
  });

  test('settles when the grace after its end is over, and not before', async () => {
    const host = await hosts.boot({ sessions: { settle: MINUTE } });
    await host.play('two-party-call');
    await host.pass(MINUTE - SECOND);
    expect(await host.session()).toMatchObject({ state: 'ended', disposition: 'completed' });
    await host.pass(SECOND);
    expect(await host.session()).toMatchObject({ state: 'settled', disposition: 'completed' });
    await host.pass(60 * MINUTE);
    expect(host.eventsOf('session.settled')).toHaveLength(1);
  });

  test('settles after a restart, too', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    const { clock } = host.tester;
    await hosts.stop(host);
    const again = await hosts.boot({ clock });
    expect(await again.session()).toMatchObject({ state: 'ended' });
    await again.pass(30 * SECOND);
    expect(await again.session()).toMatchObject({ state: 'settled' });
    expect(again.eventsOf('session.settled')).toHaveLength(1);
  });

  test('waits for a recording that goes on', async () => {
    const host = await hosts.boot();
    await host.play('recording-outlives-call', without('egress_ended'));
    await host.pass(60 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'ended', recordings: [{ status: 'ending' }] });
    await host.play('recording-outlives-call', is('egress_ended'));
    await host.pass(60 * MINUTE);
    expect(await host.session()).toMatchObject({
      state: 'settled',
      inferred: [],
      recordings: [
        {
          egressId: 'EG_b8ZsLw3NcVf5',
          status: 'complete',
          startedAt: '2026-11-23T08:55:17.824Z',
          endedAt: '2026-11-23T08:55:20.139Z',
          files: [
            {
              filename: 'recordings/call-1017.ogg',
              location: 'https://recordings.example.com/recordings/call-1017.ogg',
              durationSeconds: 2.316,
              sizeBytes: 48213,
            },
          ],
          error: null,
        },
      ],
    });
    expect(host.eventsOf('session.settled')).toHaveLength(1);
    expect(host.eventsOf('session.corrected')).toEqual([]);
  });

  test('waits for no recording longer than it is told, and says that it is not final', async () => {
    const host = await hosts.boot({ sessions: { recordingTimeout: 60 * MINUTE } });
    await host.play('recording-outlives-call', without('egress_ended'));
    await host.pass(61 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'settled', inferred: ['recordings'] });
    await host.play('recording-outlives-call', is('egress_ended'));
    expect(host.eventsOf('session.corrected')).toMatchObject([
      {
        before: { recordings: [{ status: 'ending' }], inferred: ['recordings'] },
        after: { recordings: [{ status: 'complete' }], inferred: [], state: 'settled' },
      },
    ]);
  });

  test('is corrected by a fact that comes after it has settled, with what it was before', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', without('participant_left', 'support-agent'));
    await host.pass(30 * SECOND);
    const billed = await host.session();
    expect(billed).toMatchObject({
      state: 'settled',
      lastLeftAt: '2026-11-23T08:48:56.000Z',
      durationSeconds: 7.565,
      inferred: [
        'leftAt',
        'lastLeftAt',
        'durationSeconds',
        'participantSeconds',
        'peakParticipants',
        'disposition',
      ],
    });
    await host.play('two-party-call', is('participant_left', 'support-agent'));
    const corrected = await host.session();
    expect(corrected).toMatchObject({ state: 'settled', durationSeconds: 5.565, inferred: [] });
    expect(corrected.revision).toBe(billed.revision + 1);
    expect(host.eventsOf('session.corrected')).toMatchObject([{ before: billed, after: corrected }]);
    await host.play('two-party-call');
    expect(host.eventsOf('session.corrected')).toHaveLength(1);
    expect(host.eventsOf('session.settled')).toHaveLength(1);
    expect(host.eventsOf('session.participant_left')).toHaveLength(2);
  });

  test('is closed when its room has been empty for so long that LiveKit must have closed it', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', without('room_finished'));
    await host.pass(5 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'active' });
    await host.pass(2 * SECOND);
    expect(await host.session()).toMatchObject({
      state: 'ended',
      endedAt: '2026-11-23T08:48:56.000Z', // the agent left last, at :54, and 2 s is its departure time-out
      lastLeftAt: '2026-11-23T08:48:54.000Z',
      inferred: ['endedAt', 'disposition'],
      disposition: 'completed',
    });
    await host.play('two-party-call', is('room_finished'));
    expect(await host.session()).toMatchObject({ endedAt: '2026-11-23T08:48:56.000Z', inferred: [] });
  });

  test('is closed when somebody left because it was deleted, though the leave of another was lost with its end', async () => {
    const host = await hosts.boot();
    await host.play(
      'room-deleted',
      (one) => !is('room_finished')(one) && !is('participant_left', 'caller-1005')(one),
    );
    await host.pass(5 * MINUTE + SECOND);
    expect(await host.session()).toMatchObject({
      state: 'ended',
      endedAt: '2026-11-23T08:49:35.000Z',
      lastLeftAt: '2026-11-23T08:49:35.000Z',
      disposition: 'deleted',
      inferred: expect.arrayContaining(['endedAt', 'leftAt']),
    });
  });

  test('of which LiveKit tells a day late is not closed while the rest may be on its way', async () => {
    const host = await hosts.boot({ clock: new TestClock('2026-11-24T09:00:00.000Z') });
    for (const { body } of deliveries('two-party-call').filter(without('room_finished')))
      await host.tester.deliver(body);
    await host.tester.drain();
    await host.pass(4 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'active' });
    await host.pass(MINUTE + SECOND);
    expect(await host.session()).toMatchObject({ state: 'ended', endedAt: '2026-11-23T08:48:56.000Z' });
  });

  test('waits anew with whatever is told of its room, though nothing of it changes', async () => {
    const host = await hosts.boot();
    const hasEnded = (one: CapturedDelivery) =>
      is('room_finished')(one) || is('participant_left', 'support-agent')(one);
    await host.play('two-party-call', (one) => !hasEnded(one));
    await host.pass(4 * MINUTE);
    const published = deliveries('two-party-call').find(is('track_published', 'support-agent'));
    const createdAt = String(Date.parse('2026-11-23T08:52:50Z') / 1000);
    await host.tester.deliver(
      JSON.stringify({ ...JSON.parse(published?.body ?? ''), id: 'EV_another_track', createdAt }),
    );
    await host.tester.drain();
    await host.pass(4 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'active' });
    await host.pass(MINUTE + 5 * SECOND);
    expect(await host.session()).toMatchObject({ state: 'ended', endedAt: '2026-11-23T08:52:50.000Z' });
  });

  test('is closed again when it was pruned, and a webhook that came late brings it back', async () => {
    const host = await hosts.boot({ webhook: { retention: { sessions: 60 * MINUTE } } });
    await host.play('two-party-call', without('room_finished'));
    await host.pass(6 * MINUTE);
    const left = deliveries('two-party-call').find(is('participant_left', 'support-agent'));
    for (const again of ['EV_again', 'EV_and_again']) {
      await host.pass(MINUTE);
      await host.pass(60 * MINUTE);
      expect(await host.app.get(Retention).prune()).toMatchObject({ sessions: 1 });
      await host.tester.deliver(JSON.stringify({ ...JSON.parse(left?.body ?? ''), id: again }));
      await host.tester.drain();
      expect(await host.session()).toMatchObject({ state: 'active' });
      await host.pass(6 * MINUTE);
      expect(await host.session()).toMatchObject({
        state: 'ended',
        inferred: expect.arrayContaining(['endedAt']),
      });
    }
  });

  test('that nobody came to is closed, too', async () => {
    const host = await hosts.boot();
    await host.play('nobody-came', is('room_started'));
    await host.pass(5 * MINUTE + 3 * SECOND);
    await host.pass(30 * SECOND);
    expect(await host.session()).toMatchObject({
      state: 'settled',
      endedAt: '2026-11-23T08:49:49.647Z',
      inferred: ['endedAt', 'disposition'],
      disposition: 'nobody_came',
    });
  });

  test('is open again when somebody comes after an end that nobody told', async () => {
    const host = await hosts.boot();
    const isReturn = ({ body }: { body: string }) => body.includes('PA_rD7czH7SuVt2');
    await host.play('leave-and-return', ({ receivedAt }) => receivedAt < '2026-11-23T08:49:12');
    await host.pass(6 * MINUTE);
    await host.pass(30 * SECOND);
    expect(await host.session()).toMatchObject({ state: 'settled', endedAt: '2026-11-23T08:49:13.000Z' });
    await host.play('leave-and-return', (one) => isReturn(one) && is('participant_joined')(one));
    expect(await host.session()).toMatchObject({ state: 'active', endedAt: null, inferred: [] });
    expect(host.eventsOf('session.corrected')).toMatchObject([{ after: { state: 'active' } }]);
    await host.play('leave-and-return');
    await host.pass(60 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'settled', inferred: [] });
  });

  test('is not closed while somebody is known to be in it', async () => {
    const host = await hosts.boot();
    await host.play('livekit-crashed', ({ body }) => body.includes('RM_JrRvAdHNUH3v'));
    await host.pass(24 * 60 * MINUTE);
    expect(await host.session()).toMatchObject({ state: 'active', inferred: [] });
  });

  test('the ends of many at once are told once each', async () => {
    const host = await hosts.boot();
    await host.play('twelve-calls-at-once');
    await host.pass(30 * SECOND);
    const settled = host.eventsOf('session.settled').map(({ sessionId }) => sessionId);
    expect(settled).toHaveLength(12);
    expect(new Set(settled).size).toBe(12);
    expect(await host.app.get(Deliveries).list({ state: 'dead' })).toMatchObject({ deliveries: [] });
  });
});

const who = (event: object): string | undefined =>
  (event as { participant?: { identity: string } }).participant?.identity;
