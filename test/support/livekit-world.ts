import type { CapturedDelivery } from './captures.js';
import type { LivekitStandIn, Told } from './livekit-stand-in.js';

interface CapturedBody {
  event: string;
  room?: Told & { sid: string; name: string };
  participant?: Told & { sid: string };
  egressInfo?: Told & { egressId: string };
}

/** What a LiveKit server would answer at each time of a captured call, derived from the webhooks that it sent. */
export class LivekitWorld {
  /** By name: the later of two rooms with one name replaces the earlier. */
  readonly rooms = new Map<string, Told & { sid: string; name: string }>();
  readonly egresses = new Map<string, Told>();
  private readonly participants = new Map<string, Map<string, Told>>();

  /** The participants of a room that is open. */
  participantsOf(roomSid: string): Told[] {
    return [...(this.participants.get(roomSid)?.values() ?? [])];
  }

  /** Applies what a delivery reports, whether or not the delivery is sent. */
  happen({ body }: Pick<CapturedDelivery, 'body'>): void {
    const { event, room, participant, egressInfo } = JSON.parse(body) as CapturedBody;
    if (egressInfo?.egressId !== undefined) this.egresses.set(egressInfo.egressId, egressInfo);
    if (room === undefined) return;
    if (event === 'room_started' && this.rooms.get(room.name)?.sid !== room.sid) {
      this.rooms.set(room.name, room);
      this.participants.set(room.sid, new Map());
    }
    if (event === 'room_finished' && this.rooms.get(room.name)?.sid === room.sid)
      this.rooms.delete(room.name);
    if (participant === undefined) return;
    const theirs = this.participants.get(room.sid);
    if (event === 'participant_joined') theirs?.set(participant.sid, participant);
    if (event === 'participant_left') theirs?.delete(participant.sid);
  }

  /** Makes a stand-in answer accordingly. */
  tellBy(standIn: LivekitStandIn): void {
    const { rooms, participants, egresses } = standIn;
    for (const told of [rooms, participants, egresses]) told.clear();
    for (const room of this.rooms.values()) {
      rooms.set(room.name, room);
      participants.set(room.name, this.participantsOf(room.sid));
    }
    for (const [id, egress] of this.egresses) egresses.set(id, egress);
  }
}
