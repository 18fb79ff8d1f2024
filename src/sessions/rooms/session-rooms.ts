import { Inject, Injectable } from '@nestjs/common';
import { AccessToken, type CreateOptions, Room, type VideoGrant } from 'livekit-server-sdk';
import { EventStore } from '../../database/event-store.js';
import { plainText, plainTextOrNull } from '../../database/plain-text.js';
import { PROJECT_KEYS, type ProjectKey, type ProjectKeys } from '../../livekit-webhook/project-keys.js';
import { SessionRequestError, SessionRoomError } from '../errors.js';
import type { Expectation } from '../expectations/expectation.js';
import { ExpectationStore } from '../expectations/expectation-store.js';
import { Expectations, type ExpectOptions } from '../expectations/expectations.js';
import { isTimeout, whyFailed } from '../reconciliation/asking.js';
import { LivekitClients } from '../reconciliation/livekit-clients.js';
import { SESSIONS_SETTINGS, type SessionsSettings, textGiven } from '../sessions.options.js';

/** What is said of a session when its room is made: what `expect()` takes, and how LiveKit is to make the room. */
export interface CreateRoomOptions extends ExpectOptions {
  /** LiveKit's own options of the room, times in seconds: see `CreateOptions` of livekit-server-sdk. */
  room?: Omit<CreateOptions, 'name'>;
}

/** A room that was made for a session, and the session as it is expected. */
export interface CreatedRoom {
  room: Room;
  expectation: Expectation;
}

/** Who may join a session, and what they may do there. */
export interface CreateTokenOptions {
  /** Who it is, by the host's own name for them: one at a time is connected under it. */
  identity: string;
  /** What others are shown. */
  name?: string;
  attributes?: Record<string, string>;
  /** LiveKit's metadata of the participant. */
  metadata?: string;
  /** `standard` by default; a SIP participant is made by LiveKit's own service. */
  kind?: 'standard' | 'agent' | 'ingress' | 'egress' | 'sip';
  /** What they may do beside joining this room: see `VideoGrant` of livekit-server-sdk. */
  grants?: Omit<VideoGrant, 'roomJoin' | 'room'>;
  /** How long it may be used to join, seconds, or a span such as `10m`; 6 hours by default. */
  ttl?: number | string;
  /** The project, by default the one called `default`. */
  project?: string;
}

/** Makes rooms and access tokens by the ids of sessions, so that nobody can get the names wrong. */
@Injectable()
export class SessionRooms {
  constructor(
    private readonly store: EventStore,
    private readonly expectations: Expectations,
    private readonly expected: ExpectationStore,
    private readonly clients: LivekitClients,
    @Inject(PROJECT_KEYS) private readonly keys: ProjectKeys,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  /**
   * Expects a session, and makes its room at LiveKit, of the same name unless `roomName` says another. Needs `livekitUrl`.
   *
   * @throws SessionRequestError when the session could not be told by that room; SessionRoomError when LiveKit made no room:
   * then nobody is expected, either; SessionsOptionsError without `livekitUrl`.
   */
  async createRoom(
    sessionId: string,
    { room: options, ...expecting }: CreateRoomOptions = {},
  ): Promise<CreatedRoom> {
    const { project = 'default', roomName } = expecting;
    const { rooms } = this.clients.of(project);
    const asked = { ...options, name: roomName ?? sessionId };
    if (roomName === undefined) this.requireItsOwn(sessionId, asked);
    const expectation = await this.expectations.expect(sessionId, expecting);
    try {
      return { room: await rooms.createRoom(asked), expectation };
    } catch (error) {
      // Whether a room was made that nobody told of can't be known: if it was, its session is expected.
      if (!isTimeout(error)) await this.expectations.withdraw(sessionId, project);
      throw new SessionRoomError(sessionId, whyFailed(error)); // without a cause: LiveKit's message may hold the token
    }
  }

  /**
   * Makes an access token that lets somebody join the room of a session: the one that it is expected in, else the one of
   * its name.
   *
   * @throws SessionRequestError without an identity, and when the project has no API key.
   */
  async createToken(sessionId: string, options: CreateTokenOptions): Promise<string> {
    const { identity, name, attributes, metadata, kind, grants, ttl, project = 'default' } = options;
    if (typeof identity !== 'string' || identity === '') {
      throw new SessionRequestError(
        '`identity` is missing or empty: LiveKit tells participants apart by it, so give everybody one of their own',
      );
    }
    const key = this.keyOf(project);
    const token = new AccessToken(key.apiKey, key.secret.export().toString('utf8'), {
      identity,
      ...(name !== undefined && { name }),
      ...(attributes !== undefined && { attributes }),
      ...(metadata !== undefined && { metadata }),
      ...(ttl !== undefined && { ttl }),
    });
    if (kind !== undefined) token.kind = kind;
    token.addGrant({ ...grants, roomJoin: true, room: await this.roomNameOf(sessionId, project) });
    return token.toJwt();
  }

  private async roomNameOf(sessionId: string, project: string): Promise<string> {
    const expected = await this.store.read((manager) =>
      this.expected.find(manager, plainText(project), plainText(sessionId)),
    );
    return expected?.roomName ?? sessionId;
  }

  private keyOf(project: string): ProjectKey {
    const key = this.keys.get(project);
    if (key) return key;
    throw new SessionRequestError(
      key === null
        ? `project \`${project}\` has no API key to sign access tokens with: give \`LivekitWebhookModule\` the \`apiKey\` beside its secret`
        : `there is no project \`${project}\`: name one of ${[...this.keys.keys()].map((known) => `\`${known}\``).join(', ')}`,
    );
  }

  /** A room whose session would be another's for the option `sessionId` must be named when it is expected. */
  private requireItsOwn(sessionId: string, { name, metadata }: CreateOptions): void {
    if (this.settings.sessionId === undefined) return;
    const given = this.idOf(new Room({ name, metadata: metadata ?? '' }));
    if (given === plainTextOrNull(sessionId)) return;
    const what = given === null ? 'no session id' : `the session id \`${given}\``;
    throw new SessionRequestError(
      `the option \`sessionId\` gives ${what} to a room of the name \`${name}\`: say which room session \`${sessionId}\` is in, \`roomName\``,
    );
  }

  private idOf(room: Room): string | null {
    try {
      return textGiven(this.settings.sessionId?.(room));
    } catch {
      return null;
    }
  }
}
