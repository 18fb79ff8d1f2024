import { Inject, Injectable } from '@nestjs/common';
import { AccessToken, type CreateOptions, Room, type VideoGrant } from 'livekit-server-sdk';
import { EventStore } from '../../database/event-store.js';
import { plainText, plainTextOrNull } from '../../database/plain-text.js';
import { LONGEST_NAME } from '../../event-log/events.js';
import { PROJECT_KEYS, type ProjectKey, type ProjectKeys } from '../../livekit-webhook/project-keys.js';
import { SessionRequestError, SessionRoomError } from '../errors.js';
import type { Expectation } from '../expectations/expectation.js';
import { ExpectationStore } from '../expectations/expectation-store.js';
import { Expectations } from '../expectations/expectations.js';
import type { ExpectOptions } from '../expectations/expected-session.js';
import { isTimeout, whyFailed } from '../reconciliation/asking.js';
import { LivekitClients } from '../reconciliation/livekit-clients.js';
import { SESSIONS_SETTINGS, type SessionsSettings, textGiven } from '../sessions.options.js';
import { unknownProject } from '../unknown-project.js';

/** The options of `createRoom`: those of `expect()`, and how LiveKit is to create the room. */
export interface CreateRoomOptions extends ExpectOptions {
  /** LiveKit's own options of the room, times in seconds: see `CreateOptions` of livekit-server-sdk. */
  room?: Omit<CreateOptions, 'name'> | undefined;
}

/** A room created for a session, and the expectation of that session. */
export interface CreatedRoom {
  room: Room;
  expectation: Expectation;
}

/** Who may join a session, and what they may do there. */
export interface CreateTokenOptions {
  /** The host's own name for them: LiveKit allows one connection at a time under it. */
  identity: string;
  /** The name that others see. */
  name?: string | undefined;
  attributes?: Record<string, string> | undefined;
  /** LiveKit's metadata of the participant. */
  metadata?: string | undefined;
  /** `standard` by default; a SIP participant is made by LiveKit's own service. */
  kind?: 'standard' | 'agent' | 'ingress' | 'egress' | 'sip' | undefined;
  /** What they may do besides joining this room: see `VideoGrant` of livekit-server-sdk. */
  grants?: Omit<VideoGrant, 'roomJoin' | 'room'> | undefined;
  /** How long it may be used to join: seconds, or a duration such as `10m`; 6 hours by default. */
  ttl?: number | string | undefined;
  /** The project, by default the one called `default`. */
  project?: string | undefined;
}

/** Creates rooms and access tokens from session ids, so that nobody can get the names wrong. */
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

  /** See `SessionsService.createRoom`. */
  async createRoom(
    sessionId: string,
    { room: options, ...expecting }: CreateRoomOptions = {},
  ): Promise<CreatedRoom> {
    const { project = 'default', roomName } = expecting;
    if (!this.keys.has(project)) throw unknownProject(project, this.keys);
    const { rooms } = this.clients.of(project);
    const asked = { ...options, name: roomName ?? sessionId };
    if (roomName === undefined) this.requireItsOwn(sessionId, asked);
    const expectation = await this.expectations.expect(sessionId, expecting);
    try {
      return { room: await rooms.createRoom(asked), expectation };
    } catch (error) {
      // After a timeout the room may have been made all the same: then its session stays expected.
      if (!isTimeout(error)) await this.expectations.withdraw(sessionId, project);
      throw new SessionRoomError(sessionId, whyFailed(error)); // without a cause: LiveKit's message may hold the token
    }
  }

  /** See `SessionsService.createToken`. */
  async createToken(sessionId: string, options: CreateTokenOptions): Promise<string> {
    const { identity, name, attributes, metadata, kind, grants, ttl, project = 'default' } = options;
    if (typeof identity !== 'string' || identity === '') {
      throw new SessionRequestError(
        '`identity` is missing or empty: LiveKit tells participants apart by it, so give everybody one of their own',
      );
    }
    // LiveKit lets a token that names no room into whichever its client names (`livekit/livekit pkg/service/rtcservice.go`).
    if (typeof sessionId !== 'string' || sessionId === '') {
      throw new SessionRequestError(
        'the session id is missing or empty: a token without a room lets into every one',
      );
    }
    // livekit-server-sdk takes these for none given.
    if (ttl === 0 || ttl === '' || Number.isNaN(ttl)) {
      throw new SessionRequestError('`ttl` must be more than 0; without it, a token may be used for 6 hours');
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
    if (key === undefined) throw unknownProject(project, this.keys);
    throw new SessionRequestError(
      `project \`${project}\` has no API key to sign access tokens with: give \`LivekitWebhookModule\` the \`apiKey\` beside its secret`,
    );
  }

  /** Requires `roomName` where the option `sessionId` would give the session of the room another id. */
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
      return textGiven(this.settings.sessionId?.(room), LONGEST_NAME);
    } catch {
      return null;
    }
  }
}
