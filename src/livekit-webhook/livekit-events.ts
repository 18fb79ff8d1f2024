import type {
  EgressInfo,
  IngressInfo,
  ParticipantInfo,
  Room,
  TrackInfo,
  WebhookEvent,
} from 'livekit-server-sdk';

interface WithRoom {
  room: Room;
}

interface WithParticipant extends WithRoom {
  participant: ParticipantInfo;
}

interface WithTrack extends WithParticipant {
  track: TrackInfo;
}

interface WithEgress {
  egressInfo: EgressInfo;
}

interface WithIngress {
  ingressInfo: IngressInfo;
}

/**
 * The fields that each LiveKit event always carries, by its name (`livekit/protocol webhook/consts.go`,
 * `livekit/livekit pkg/telemetry/events.go`). The room of `track_*` and `egress_*` has only `sid` and `name` (of `track_*` all, if
 * LiveKit is configured with `enable_full_room_in_webhooks`), and the participant of `track_*` only `sid` and `identity`. The job of
 * `agent_job_*` is in `raw` only: the SDK's `WebhookEvent` does not know it yet.
 */
export interface LivekitEventMap {
  room_started: WithRoom;
  room_finished: WithRoom;
  participant_joined: WithParticipant;
  participant_left: WithParticipant;
  participant_connection_aborted: WithParticipant;
  track_published: WithTrack;
  track_unpublished: WithTrack;
  egress_started: WithEgress;
  egress_updated: WithEgress;
  egress_ended: WithEgress;
  ingress_started: WithIngress;
  ingress_ended: WithIngress;
  agent_job_started: object;
  agent_job_ended: object;
}

/** The name of a LiveKit webhook event. */
export type LivekitEventName = keyof LivekitEventMap;

/** Every event name LiveKit has (`livekit/protocol webhook/consts.go`). */
export const LIVEKIT_EVENT_NAMES = [
  'room_started',
  'room_finished',
  'participant_joined',
  'participant_left',
  'participant_connection_aborted',
  'track_published',
  'track_unpublished',
  'egress_started',
  'egress_updated',
  'egress_ended',
  'ingress_started',
  'ingress_ended',
  'agent_job_started',
  'agent_job_ended',
] as const satisfies readonly LivekitEventName[];

/** The events that listeners receive when the `events` option is not set. */
export const DEFAULT_EVENTS = [
  'room_finished',
  'participant_joined',
  'participant_left',
] as const satisfies readonly LivekitEventName[];

/** The fields on every event besides LiveKit's own. */
export interface LivekitEventEnvelope {
  /** The LiveKit project it came from: `default`, or a name from the `projects` option. */
  project: string;
  /** When it was received, UTC milliseconds. */
  receivedAt: number;
  /** The body's bytes as LiveKit sent them; fields that newer servers add are only here. */
  raw: Buffer;
  /** Only set on events that LiveKit did not send: see `ReconciledLivekitEvent`. */
  reconciled?: undefined;
}

/**
 * A LiveKit webhook event as listeners receive it: livekit-server-sdk's `WebhookEvent`, narrowed to the fields that
 * event `N` always carries (`LivekitEvent<'participant_joined'>` has its room and participant).
 */
export type LivekitEvent<N extends LivekitEventName = LivekitEventName> = N extends LivekitEventName
  ? Omit<WebhookEvent, 'event' | keyof LivekitEventMap[N]> &
      LivekitEventMap[N] &
      LivekitEventEnvelope & { event: N }
  : never;

/** The events that may turn out to be missing when LiveKit's API is queried. */
export const RECONCILED_EVENT_NAMES = [
  'room_started',
  'room_finished',
  'participant_joined',
  'participant_left',
  'egress_started',
  'egress_updated',
  'egress_ended',
] as const satisfies readonly LivekitEventName[];

/** The name of an event that may be reconciled. */
export type ReconciledEventName = (typeof RECONCILED_EVENT_NAMES)[number];

/**
 * An event that LiveKit did not send, made from the answers of its API, for handlers with `includeReconciled: true`.
 * It has no `raw`; the room of a `room_finished`, and the participant of a `participant_left`, may be known by `sid` alone.
 */
export type ReconciledLivekitEvent<N extends ReconciledEventName = ReconciledEventName> =
  N extends ReconciledEventName ? Omit<LivekitEvent<N>, 'raw' | 'reconciled'> & { reconciled: true } : never;
