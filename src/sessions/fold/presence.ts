/** The kinds that a session's figures distinguish. */
export const COUNTED_KINDS = ['standard', 'agent', 'sip'] as const;

/** A kind that a session's figures distinguish. */
export type CountedKind = (typeof COUNTED_KINDS)[number];

/** The time that somebody was connected, UTC milliseconds. */
export interface Presence {
  identity: string;
  from: number;
  /** Infinity while it lasts. */
  to: number;
}

/** As which kind a participant counts; `egress` and `ingress` are LiveKit's own, and count nowhere. */
export function countedKind(kind: string | null): CountedKind | null {
  if (kind === 'egress' || kind === 'ingress') return null;
  return kind === 'agent' || kind === 'sip' ? kind : 'standard';
}

/** Whether LiveKit keeps a room open for this kind: not for agents and recorders (`livekit/livekit` `IsDependent`). */
export const holdsRoomOpen = (kind: string | null): boolean => kind !== 'agent' && kind !== 'egress';

/** The most identities that were connected at once; one that leaves at the instant when another comes is gone by then. */
export function mostAtOnce(presences: readonly Presence[]): number {
  const changes = presences
    .flatMap(({ identity, from, to }) => [
      { at: from, identity, by: 1 },
      { at: Math.max(to, from + 1), identity, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  const present = new Map<string, number>();
  let most = 0;
  for (const { identity, by } of changes) {
    const connections = (present.get(identity) ?? 0) + by;
    if (connections > 0) present.set(identity, connections);
    else present.delete(identity);
    most = Math.max(most, present.size);
  }
  return most;
}

/** The least of some values; `null` when there is none. */
export const least = (values: readonly number[]): number | null => extreme(values, (a, b) => a < b);

/** The greatest of some values; `null` when there is none. */
export const greatest = (values: readonly number[]): number | null => extreme(values, (a, b) => a > b);

// Not `Math.max(...values)`: a room may have more connections than a call may have arguments.
const extreme = (values: readonly number[], better: (a: number, b: number) => boolean): number | null =>
  values.reduce<number | null>((best, value) => (best === null || better(value, best) ? value : best), null);
