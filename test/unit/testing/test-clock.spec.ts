import { capturedCall, capturedCalls, TestClock, WebhookTestingError } from '../../../src/testing/index.js';

describe('a clock that a test sets', () => {
  test('stands still before the first captured call until it is set or put forward', () => {
    const clock = new TestClock();
    const received = capturedCalls().flatMap((name) =>
      capturedCall(name).deliveries.map(({ receivedAt }) => Date.parse(receivedAt)),
    );
    expect(clock.now()).toBeLessThan(Math.min(...received));
    expect(clock.now()).toBe(clock.now());
    const noon = '2026-11-23T12:00:00.000Z';
    for (const moment of [noon, new Date(noon), Date.parse(noon)]) {
      clock.set(moment);
      clock.advance(1_500);
      expect(clock.now()).toBe(Date.parse(noon) + 1_500);
    }
  });

  test('refuses what is no time', () => {
    expect(() => new TestClock('tomorrow')).toThrow(WebhookTestingError);
    expect(() => new TestClock().advance(Number.NaN)).toThrow(/ISO 8601/);
  });
});

describe('captured calls', () => {
  test('have deliveries and a truth each', () => {
    expect(capturedCalls()).toHaveLength(20);
    for (const name of capturedCalls()) {
      const { deliveries, truth } = capturedCall(name);
      expect(deliveries[0]).toMatchObject({ method: 'POST', path: '/voice/livekit/webhooks' });
      expect(truth[0]).toMatchObject({ at: expect.any(String), what: expect.any(String) });
    }
  });

  test('are listed in the order of their recording, so that a clock that plays them all is never put back', () => {
    const began = capturedCalls().map((name) => capturedCall(name).deliveries[0]!.receivedAt);
    expect(began).toEqual(began.toSorted());
  });

  test('are told by name when there is none of the name that is asked for', () => {
    expect(() => capturedCall('../package')).toThrow(WebhookTestingError);
    expect(() => capturedCall('three-party-call')).toThrow(/there are .*two-party-call/);
  });
});
