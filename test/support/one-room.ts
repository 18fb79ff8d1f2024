import type { SessionHost } from './session-host.js';
import { newId } from './webhook.js';

/** When the room was opened: the time at which the clock of an application with sessions starts, UTC milliseconds. */
export const OPENED = Date.parse('2026-11-23T08:48:40.000Z');

/** A room as LiveKit sends it, opened then. */
export const room = (sid = 'RM_1', name = 'lobby') => ({
  sid,
  name,
  creationTime: String(OPENED / 1_000),
  creationTimeMs: String(OPENED),
});

/** A participant as LiveKit sends it, who joined then. */
export const participant = (sid: string, joinedAt: number) => ({
  sid,
  identity: `identity-of-${sid}`,
  joinedAt: String(Math.floor(joinedAt / 1_000)),
  joinedAtMs: String(joinedAt),
});

/** Sends a webhook of one room at the application's time, and runs what is due then. */
export async function send(host: SessionHost, event: string, fields: object = {}): Promise<void> {
  const createdAt = String(Math.floor(host.tester.clock.now() / 1_000));
  const body = JSON.stringify({ event, id: newId(), createdAt, room: room(), ...fields });
  const { status } = await host.tester.deliver(body);
  expect(status).toBe(200);
  await host.tester.drain();
}
