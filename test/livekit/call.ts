import { randomUUID } from 'node:crypto';
import { until } from '../support/until.js';
import { Client } from './client.js';
import { rooms, tokenFor } from './livekit-server.js';

/** Who may be in a call, by what LiveKit calls them. */
export type Kind = 'standard' | 'agent';

/** What a client did, by its own clock. Times are UTC milliseconds. */
export interface Attendance {
  identity: string;
  kind: Kind;
  participantSid: string;
  joinedAt: number;
  /** `null` while it is in the room. */
  leftAt: number | null;
}

/** What the clients of a call did. */
export interface CallTruth {
  roomName: string;
  roomSid: string;
  over: boolean;
  attendances: Attendance[];
}

/** Seconds after which LiveKit closes a room that everybody has left. */
const DEPARTURE_TIMEOUT = 8;

/** Milliseconds for which nobody leaves once somebody has come: LiveKit tells of leaves in whole seconds. */
const LEAST_TALK = 2_000;

const open = new Set<Call>();

/** A room of the LiveKit server, in which real clients call one another. */
export class Call implements CallTruth {
  readonly attendances: Attendance[] = [];
  over = false;
  private readonly clients = new Map<string, Client>();

  private constructor(
    readonly roomName: string,
    readonly roomSid: string,
  ) {}

  /** Makes its room, under a name that nobody has used before. */
  static async open(what: string): Promise<Call> {
    const name = `${what}-${randomUUID().slice(0, 8)}`;
    const { sid } = await rooms.createRoom({ name, departureTimeout: DEPARTURE_TIMEOUT });
    const call = new Call(name, sid);
    open.add(call);
    return call;
  }

  /** Ends what a test has left open. */
  static async endAll(): Promise<void> {
    await Promise.all([...open].map((call) => call.end()));
  }

  /** Makes its room, and lets an `agent` and then a `caller` in, who talk. A real agent alone does not hold the room open. */
  static async begin(what: string, agent: Kind = 'agent'): Promise<Call> {
    const call = await this.open(what);
    await call.join('agent', agent);
    await call.join('caller');
    return call;
  }

  /** Lets somebody in, who talks from then on. */
  async join(identity: string, kind: Kind = 'standard'): Promise<void> {
    const client = await Client.connect(await tokenFor(this.roomName, identity, kind));
    const { participantSid } = client;
    this.attendances.push({ identity, kind, participantSid, joinedAt: Date.now(), leftAt: null });
    this.clients.set(identity, client);
    await client.talk();
  }

  /** Somebody hangs up. */
  async leave(identity: string): Promise<void> {
    const attendance = this.attendances.findLast((theirs) => theirs.identity === identity);
    if (attendance === undefined) throw new Error(`${identity} is not in the call`);
    const latest = Math.max(...this.attendances.map(({ joinedAt }) => joinedAt));
    await until('them to have talked', () => Date.now() >= latest + LEAST_TALK);
    attendance.leftAt = Date.now();
    await this.clients.get(identity)?.disconnect();
    this.clients.delete(identity);
  }

  /** Everybody who is left hangs up; resolves when LiveKit has closed the room. */
  async end(): Promise<void> {
    for (const identity of this.clients.keys()) await this.leave(identity);
    await until(
      `LiveKit to close ${this.roomName}`,
      async () => (await rooms.listRooms([this.roomName])).length === 0,
      30_000,
    );
    this.over = true;
    open.delete(this);
  }
}
