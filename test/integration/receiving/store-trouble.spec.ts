import { EventLog } from '../../../src/event-log/event-log.js';
import { holdWrites } from '../../support/hold-writes.js';
import { ADAPTERS, bootHost, type Host } from '../../support/host.js';
import { until } from '../../support/until.js';
import { newId, webhook } from '../../support/webhook.js';

describe.each(ADAPTERS)('a store in trouble on %s', (adapter) => {
  let host: Host;
  let held: Awaited<ReturnType<typeof holdWrites>>;

  const storedIds = async () =>
    (await host.rows<{ event_id: string }>('SELECT event_id FROM livekit_events ORDER BY seq')).map(
      ({ event_id }) => event_id,
    );

  // As LiveKit does: again and again while it is told 503.
  const retried = (body: string) =>
    until('a retry that is not put off', async () => {
      const answer = await host.deliver(body);
      return answer.status === 503 ? undefined : answer;
    });

  afterEach(() => host.close());

  describe('that is slow', () => {
    beforeEach(async () => {
      host = await bootHost(adapter, { limits: { patience: 100 } });
      held = await holdWrites(host.databaseUrl);
    });

    test('is 503 with seven seconds to wait; the retry is accepted, or told that it was stored after all', async () => {
      const id = newId();
      const body = webhook({ id });
      const { status, headers, text } = await host.deliver(body);
      await held.release();
      expect([status, text]).toEqual([503, '{"status":"unavailable"}']);
      expect(headers.get('retry-after')).toBe('7');
      expect(host.receipts()).toMatchObject([{ outcome: 'store_slow', status: 503, id }]);
      expect((await retried(body)).text).toMatch(/accepted|duplicate/);
      expect(await storedIds()).toEqual([id]);
    });

    test('is 503 for what belongs into quarantine too; the retry is kept', async () => {
      const { status, headers } = await host.deliver('no event');
      await held.release();
      expect([status, headers.get('retry-after')]).toEqual([503, '7']);
      expect(host.receipts()).toMatchObject([{ outcome: 'store_slow', status: 503 }]);
      expect((await retried('no event')).status).toBe(400);
      expect(await host.rows('SELECT reason FROM livekit_quarantine')).toEqual([{ reason: 'invalid' }]);
    });
  });

  test('a queue that is full: 503 without Retry-After, and what was in it is stored when the store is back', async () => {
    host = await bootHost(adapter, { limits: { entries: 2, batch: 1, patience: 20_000 } });
    held = await holdWrites(host.databaseUrl);
    const ids = [newId(), newId(), newId()];
    const log = host.app.get(EventLog);
    const answers: Promise<{ status: number }>[] = [];
    for (const [index, id] of ids.entries()) {
      answers.push(host.deliver(webhook({ id })));
      await until('it to wait', () => log.depth === index); // the first is on its way, the others behind it
    }
    const { status, headers, text } = await host.deliver(webhook());
    await held.release();
    expect([status, text]).toEqual([503, '{"status":"unavailable"}']);
    expect(headers.get('retry-after')).toBeNull();
    expect(host.receipts()[0]).toMatchObject({ outcome: 'queue_full', status: 503 });
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect((await storedIds()).sort()).toEqual(ids.sort());
  });

  test('a queue that is full of bytes: just so', async () => {
    host = await bootHost(adapter, { limits: { bytes: 1_000, batch: 1, patience: 20_000 } });
    held = await holdWrites(host.databaseUrl);
    const answers = [1, 2].map(() => host.deliver(webhook({ metadata: 'x'.repeat(700) })));
    await until('one to wait behind the other', () => host.app.get(EventLog).depth === 1);
    const { status, headers } = await host.deliver(webhook({ metadata: 'x'.repeat(300) }));
    await held.release();
    expect([status, headers.get('retry-after')]).toEqual([503, null]);
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200]);
  });

  test('a process that stops: what it has taken is stored and answered before it is gone', async () => {
    host = await bootHost(adapter, { limits: { batch: 1, patience: 20_000 } });
    held = await holdWrites(host.databaseUrl);
    const ids = [newId(), newId()];
    const answers = ids.map((id) => host.deliver(webhook({ id })));
    await until('one to wait behind the other', () => host.app.get(EventLog).depth === 1);
    const stopped = host.stop();
    await held.release();
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200]);
    await stopped;
    expect((await storedIds()).sort()).toEqual(ids.sort());
  });
});
