import { ConsoleLogger, Logger } from '@nestjs/common';
import { EgressClient, EgressInfo, RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import { askUntil } from '../../../src/sessions/reconciliation/asking.js';
import { EgressInquiry } from '../../../src/sessions/reconciliation/egress-inquiry.js';

const MINUTE = 60_000;
const ours = (...ids: string[]) => ids.map((egressId) => ({ egressId, roomSid: 'RM_1', progress: 1 }));

/** LiveKit, which lists one egress and fails when it is asked for some by id; it knows none of the others. */
class Livekit extends EgressClient {
  readonly failing = new Set<string>();

  override listEgress = async (asked?: unknown): Promise<EgressInfo[]> => {
    const { egressId } = asked as { egressId?: string };
    if (egressId === undefined) return [new EgressInfo({ egressId: 'EG_listed' })];
    if (this.failing.has(egressId)) throw new TwirpError('unavailable', 'try again', 503);
    return [];
  };
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(new ConsoleLogger()));

test('what was told before a call failed is told, what is lost above all: nobody tells it again', async () => {
  const livekit = new Livekit('http://127.0.0.1', 'key', 'secret');
  const inquiry = new EgressInquiry({
    project: 'default',
    host: '127.0.0.1',
    rooms: new RoomServiceClient('http://127.0.0.1', 'key', 'secret'),
    egress: livekit,
  });
  const ask = askUntil(new AbortController().signal);
  const told = async (at: number) => {
    const { egresses, lost } = await inquiry.ask(ask, ours('EG_1', 'EG_2'), at);
    return [egresses.map(({ egressId }) => egressId), lost];
  };
  expect(await told(0)).toEqual([['EG_listed'], []]);
  livekit.failing.add('EG_2');
  expect(await told(MINUTE)).toEqual([['EG_listed'], ['EG_1']]);
  livekit.failing.clear();
  expect(await told(2 * MINUTE)).toEqual([['EG_listed'], ['EG_2']]);
});
