import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { deliveries } from '../../support/captures.js';
import { LivekitWorld } from '../../support/livekit-world.js';
import { type ReconciledHost, reconciledHosts } from '../../support/reconciled.js';

// What is decided when is tested of every webhook of every call in `test/unit/sessions/loss.spec.ts`.
describe('a call of which a webhook is lost', () => {
  const hosts = reconciledHosts();
  let host: ReconciledHost;

  beforeEach(async () => {
    host = await hosts.boot();
  });

  /** Plays a call without one of its webhooks, asking before each, every five seconds, and for a minute afterwards. */
  const playWithout = async (scenario: string, isLost: (event: string) => boolean): Promise<string[]> => {
    const world = new LivekitWorld();
    const added: string[] = [];
    let now = Infinity;
    const ask = async (): Promise<void> => {
      host.clock.set(now);
      added.push(...(await host.round()).map(({ name }) => name));
    };
    let lost: string | undefined;
    for (const delivery of deliveries(scenario)) {
      const next = Date.parse(delivery.receivedAt);
      for (now = Math.min(now + 5_000, next); now < next; now += 5_000) await ask();
      now = next;
      await ask();
      world.happen(delivery);
      world.tellBy(hosts.standIn);
      const { event } = JSON.parse(delivery.body) as { event: string };
      if (lost === undefined && isLost(event)) lost = delivery.body;
      if (delivery.body !== lost) await host.tester.deliver(delivery.body);
    }
    for (let n = 0; n < 6; n += 1) {
      now += 10_000;
      await ask();
    }
    return added;
  };

  test.each([
    ['two-party-call', 'room_started', []],
    ['two-party-call', 'participant_joined', ['participant_joined']], // though its tracks have shown it
    ['two-party-call', 'participant_left', []], // the room's end, two seconds later, bounds it
    ['two-party-call', 'room_finished', ['room_finished']],
    ['recording-outlives-call', 'egress_ended', ['egress_ended']],
  ])('%s without a %s', async (scenario, event, added) => {
    expect(await playWithout(scenario, (name) => name === event)).toEqual(added);
    const { sessions } = await host.app.get(SessionsService).list();
    expect(sessions).toHaveLength(1);
    const [session] = sessions;
    expect(session).toMatchObject({ state: expect.stringMatching(/ended|settled/), activeParticipants: 0 });
    expect(session?.recordings.map(({ status }) => status)).toEqual(
      scenario === 'two-party-call' ? [] : ['complete'],
    );
    expect(session?.inferred.includes('endedAt')).toBe(event === 'room_finished');
    expect(session?.inferred.includes('leftAt')).toBe(event === 'participant_left');
  });
});
