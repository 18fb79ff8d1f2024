// A LiveKit server to test against, which these variables describe:
//   LIVEKIT_URL                            where it listens, such as ws://127.0.0.1:7880
//   LIVEKIT_API_KEY, LIVEKIT_API_SECRET    a key of it, and the one that its webhooks are signed with
//   LIVEKIT_WEBHOOK_PORT                   where its webhooks go: http://127.0.0.1:<port>/voice/livekit/webhooks
// Its clock must be this machine's: what sessions tell is compared with what the clients did.
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';

const url = needed('LIVEKIT_URL');
const apiKey = needed('LIVEKIT_API_KEY');
const apiSecret = needed('LIVEKIT_API_SECRET');

/** Where the server sends its webhooks. */
export const WEBHOOK_PORT = needed('LIVEKIT_WEBHOOK_PORT');

/** What tells the application of the server. */
export const SERVER = { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret };

/** Where its clients connect. */
export const SIGNAL_URL = url.replace(/^http/, 'ws');

/** The server's own API. */
export const rooms = new RoomServiceClient(url, apiKey, apiSecret);

/** What lets a client into a room. */
export function tokenFor(room: string, identity: string, kind: string): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity });
  token.kind = kind;
  token.addGrant({ roomJoin: true, room });
  return token.toJwt();
}

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: see test/livekit/livekit-server.ts`);
  return value;
}
