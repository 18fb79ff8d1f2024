import type { Room } from 'livekit-server-sdk';

/** What `SessionsModule.forRoot` is told. */
export interface SessionsModuleOptions {
  /**
   * Names the session that a room belongs to in the host's own terms, from the earliest full room object that LiveKit
   * has told; the room's name unless told. Nothing, or an error, leaves the session without an id.
   */
  sessionId?: (room: Room) => string | undefined;
  /** Participant attributes to keep beside the `sip.*` ones that every SIP call has; none unless told. */
  attributes?: readonly string[];
  /** The bearer token of `GET /voice/sessions`; without one these routes do not exist. */
  adminToken?: string;
}

/** Where the options are injected from. */
export const SESSIONS_OPTIONS = Symbol.for('nestjs-livekit-webhooks:sessions-options');
