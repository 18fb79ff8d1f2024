import { ConsoleLogger, Logger } from '@nestjs/common';
import { EgressClient, EgressInfo, RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import { askUntil } from '../../../src/sessions/reconciliation/asking.js';
import { EgressInquiry } from '../../../src/sessions/reconciliation/egress-inquiry.js';

const MINUTE = 60_000;
const ours = (...ids: string[]) => ids.map((egressId) => ({ egressId, roomSid: 'RM_1', progress: 1 }));

/** LiveKit, which lists one egress and fails when it is asked for some by id; it knows none of the others. */
class Livekit extends EgressClient {
  readonly failing = new Set<string>();
  readonly known = new Set<string>();
  /** What it was asked for, `*` is all that run. */
  readonly asked: string[] = [];
  hasService = true;
  isStrict = false;

  override listEgress = async (asked?: unknown): Promise<EgressInfo[]> => {
    const { egressId } = asked as { egressId?: string };
    this.asked.push(egressId ?? '*');
    if (!this.hasService) throw new TwirpError('unavailable', 'no response from servers', 503);
    if (egressId === undefined) return [new EgressInfo({ egressId: 'EG_listed' })];
    if (this.failing.has(egressId)) throw new TwirpError('unavailable', 'try again', 503);
    if (this.isStrict) throw new TwirpError('not_found', 'egress does not exist', 404);
    return this.known.has(egressId) ? [new EgressInfo({ egressId })] : [];
  };

  /** What it is asked for by some work. */
  async askedBy(work: () => Promise<unknown>): Promise<string[]> {
    this.asked.length = 0;
    await work();
    return [...this.asked];
  }
}

function inquire() {
  const livekit = new Livekit('http://127.0.0.1', 'key', 'secret');
  const inquiry = new EgressInquiry({
    project: 'default',
    host: '127.0.0.1',
    rooms: new RoomServiceClient('http://127.0.0.1', 'key', 'secret'),
    egress: livekit,
  });
  const ask = askUntil(new AbortController().signal);
  const told = async (at: number, ...ids: string[]) => {
    const { egresses, lost } = await inquiry.ask(ask, ours(...ids), at);
    return [egresses.map(({ egressId }) => egressId), lost];
  };
  return { livekit, told };
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(new ConsoleLogger()));

test('what was told before a call failed is told, what is lost above all: nobody tells it again', async () => {
  const { livekit, told } = inquire();
  expect(await told(0, 'EG_1', 'EG_2')).toEqual([['EG_listed'], []]);
  livekit.failing.add('EG_2');
  expect(await told(MINUTE, 'EG_1', 'EG_2')).toEqual([['EG_listed'], ['EG_1']]);
  livekit.failing.clear();
  expect(await told(2 * MINUTE, 'EG_1', 'EG_2')).toEqual([['EG_listed'], ['EG_2']]);
});

test('whatever of ours is not listed is asked for by its id, unless it never had one', async () => {
  const { livekit, told } = inquire();
  livekit.known.add('EG_1');
  expect(await told(0, 'EG_1', 'EG_listed', 'event:EV_1')).toEqual([['EG_listed', 'EG_1'], []]);
  expect(livekit.asked).toEqual(['*', 'EG_1']);
  expect(await told(MINUTE, 'EG_1')).toEqual([['EG_listed', 'EG_1'], []]);
});

test('of many, ten are asked for in a round, and those that were asked longest ago come first', async () => {
  const { livekit, told } = inquire();
  const ids = Array.from({ length: 12 }, (_, n) => `EG_${n}`);
  for (const id of ids) livekit.known.add(id);
  expect(await livekit.askedBy(() => told(0, ...ids))).toEqual(['*', ...ids.slice(0, 10)]);
  expect(await livekit.askedBy(() => told(MINUTE, ...ids))).toEqual([
    '*',
    ...ids.slice(10),
    ...ids.slice(0, 8),
  ]);
});

test.each([
  ['lists none', false],
  ['answers 404', true],
])('one of which LiveKit %s is lost once, and asked for every ten minutes', async (_, isStrict) => {
  const { livekit, told } = inquire();
  livekit.isStrict = isStrict;
  await told(0, 'EG_1');
  expect(await told(MINUTE, 'EG_1')).toEqual([['EG_listed'], ['EG_1']]);
  expect(await livekit.askedBy(() => told(11 * MINUTE - 1, 'EG_1'))).toEqual(['*']);
  expect(await told(11 * MINUTE, 'EG_1')).toEqual([['EG_listed'], []]);
  expect(livekit.asked).toEqual(['*', '*', 'EG_1']);
});

test('where there is no egress service, it is asked less and less often until there is one', async () => {
  const { livekit, told } = inquire();
  livekit.hasService = false;
  const askedAt = async (at: number) => (await livekit.askedBy(() => told(at))).length > 0;
  expect(await askedAt(0)).toBe(true);
  expect([await askedAt(14_999), await askedAt(15_000)]).toEqual([false, true]);
  expect([await askedAt(44_999), await askedAt(45_000)]).toEqual([false, true]);
  livekit.hasService = true;
  expect([await askedAt(105_000), await askedAt(105_001)]).toEqual([true, true]);
  livekit.hasService = false;
  expect([await askedAt(106_000), await askedAt(121_000)]).toEqual([true, true]);
});
