import { randomBytes } from 'node:crypto';
import { SessionRequestError } from '../../../src/sessions/errors.js';
import type { ExpectationsFilter } from '../../../src/sessions/expectations/expectations.js';
import type { SessionsFilter } from '../../../src/sessions/session-queries.js';
import { deliveries } from '../../support/captures.js';
import { OPENED, participant, room, send } from '../../support/one-room.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';

// As a host's own route may hand them on, which no compiler has seen.
const anything = <F>(filter: object): F => filter as F;

describe('a filter', () => {
  const hosts = sessionHosts();

  test('is refused where it is not understood, with the reason', async () => {
    const { service } = await hosts.boot();
    for (const [filter, reason] of [
      [{ state: 'asleep' }, '`state` must be one of active, ended, settled'],
      [{ from: new Date('yesterday') }, '`from` must be a valid Date'],
      [{ to: new Date(NaN) }, '`to` must be a valid Date'],
      [{ to: '2026-11-23' }, '`to` must be a valid Date'],
    ] as const) {
      const refused = new SessionRequestError(reason);
      await expect(service.list(anything<SessionsFilter>(filter))).rejects.toThrow(refused);
      await expect(service.find('call', anything<SessionsFilter>(filter))).rejects.toThrow(refused);
    }
    await expect(service.expectations(anything<ExpectationsFilter>({ state: 'asleep' }))).rejects.toThrow(
      new SessionRequestError('`state` must be one of awaiting, matched, expired'),
    );
  });

  test('finds a session by a number that is longer than any, up to what can be indexed', async () => {
    const host = await hosts.boot();
    const number = randomBytes(3_000).toString('hex'); // nothing that a database could make shorter
    for (const { body } of deliveries('sip-caller')) {
      await host.tester.deliver(body.replaceAll(/(?<="sip\.phoneNumber":\s*")[^"]+/g, number));
    }
    await host.tester.drain();
    const { sessions } = await host.service.list({ number: number.slice(0, 255) });
    expect(sessions).toMatchObject([{ participants: [{}, { sip: { from: number } }] }]);
  });

  test('of a session id has room for all of them, whatever limit is left out', async () => {
    const host = await hosts.boot();
    for (let nth = 0; nth < 51; nth += 1) await send(host, 'room_started', { room: room(`RM_${nth}`) });
    expect(await host.service.find('lobby', { limit: undefined })).toHaveLength(51);
  });

  test('goes on behind a session that began as late as a time can be told', async () => {
    const host = await hosts.boot();
    // Milliseconds, where LiveKit has seconds: what a relay may make of them.
    for (const creationTime of ['1787074610412', '1787074610413']) {
      await send(host, 'room_started', { room: { sid: `RM_${creationTime}`, name: 'call', creationTime } });
    }
    const { nextCursor } = await host.service.list({ limit: 1, cursor: null });
    const { sessions } = await host.service.list({ limit: 1, cursor: nextCursor });
    expect(sessions).toMatchObject([{ roomSid: 'RM_1787074610412' }]);
  });

  describe('by somebody who was there', () => {
    const there = (identity: string, sid: string, at: number) => ({
      ...participant(sid, at),
      identity,
      kind: 'SIP',
      attributes: { 'sip.phoneNumber': `number of ${identity}` },
    });

    /** The rooms and segments that each of both filters finds, on pages so large. */
    const foundBy = async (
      { service }: SessionHost,
      identity: string,
      limit?: number,
    ): Promise<string[][]> => {
      const pages = async (filter: SessionsFilter, cursor: string | null = null): Promise<string[]> => {
        const { sessions, nextCursor } = await service.list({ ...filter, limit, cursor });
        const page = sessions.map(({ roomSid, segment }) => `${roomSid} ${segment}`);
        if (nextCursor !== null) expect(page).toHaveLength(limit ?? NaN);
        return nextCursor === null ? page : [...page, ...(await pages(filter, nextCursor))];
      };
      return [await pages({ identity }), await pages({ number: `number of ${identity}` })];
    };

    test('finds no session that they only tried to join', async () => {
      const host = await hosts.boot();
      const ann = there('ann', 'PA_1', OPENED);
      await send(host, 'participant_connection_aborted', { participant: ann });
      await send(host, 'participant_joined', { room: room('RM_2', 'other'), participant: ann });
      expect(await foundBy(host, 'ann')).toEqual([['RM_2 0'], ['RM_2 0']]);
    });

    test('finds the call of somebody who came again otherwise, by each of their numbers', async () => {
      const host = await hosts.boot();
      const ann = { ...participant('PA_1', OPENED), identity: 'ann' };
      const calling = (number: string) => ({ kind: 'SIP', attributes: { 'sip.phoneNumber': number } });
      await send(host, 'participant_joined', { participant: { ...ann, ...calling('+49111') } });
      await send(host, 'participant_joined', { participant: { ...ann, sid: 'PA_2', ...calling('+49222') } });
      await send(host, 'participant_joined', { participant: { ...ann, sid: 'PA_3' } }); // in a browser
      for (const number of ['+49111', '+49222']) {
        expect((await host.service.list({ number })).sessions).toMatchObject([{ roomSid: 'RM_1' }]);
      }
    });

    test('finds of a reopened room only the sessions that they were in, on full pages', async () => {
      const host = await hosts.boot();
      for (const [nth, who] of ['ann', 'bob', 'bob', 'ann', 'bob', 'ann'].entries()) {
        const at = host.tester.clock.now();
        await send(host, 'participant_joined', { participant: there(who, `PA_${nth}`, at) });
        await host.pass(20_000);
        await send(host, 'room_finished');
        await host.pass(20_000);
      }
      for (const limit of [1, 2, 50]) {
        const of = (...segments: number[]) => segments.map((segment) => `RM_1 ${segment}`);
        expect(await foundBy(host, 'ann', limit)).toEqual([of(5, 3, 0), of(5, 3, 0)]);
        expect(await foundBy(host, 'bob', limit)).toEqual([of(4, 2, 1), of(4, 2, 1)]);
      }
    });
  });

  test('finds nothing, and does not fail, for a project that no database holds', async () => {
    const { service } = await hosts.boot();
    const nowhere = { project: '\0\ud800' };
    expect(await service.list(nowhere)).toEqual({ sessions: [], nextCursor: null });
    expect(await service.rebuild('call', nowhere)).toEqual([]);
    expect(await service.rebuildAll(nowhere)).toMatchObject({ rooms: 0 });
  });
});
