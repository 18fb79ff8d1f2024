import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { TokenVerifier } from 'livekit-server-sdk';

/** A protojson object, as LiveKit would send it. */
export type Told = Record<string, unknown>;

/** A call that was answered, or was not. */
export interface StandInCall {
  /** `ListRooms`, `ListParticipants`, `CreateRoom`, `ListEgress`. */
  method: string;
  body: Told;
}

/** What replaces the answer to a call: an HTTP status with a twirp error, or no answer at all. */
export type Trouble = { status: number; code: string; msg: string } | 'hang';

/** LiveKit's answer when it has no egress service (`livekit/livekit pkg/service/errors.go`). */
export const NO_EGRESS: Trouble = {
  status: 500,
  code: 'internal',
  msg: 'egress not connected (redis required)',
};

interface Grants {
  roomList?: boolean;
  roomCreate?: boolean;
  roomAdmin?: boolean;
  roomRecord?: boolean;
  room?: string;
}

/**
 * Stands in for a LiveKit server's API: speaks twirp over HTTP as livekit-server-sdk calls it, checks signatures and
 * grants, and answers with whatever a test puts into it.
 */
export class LivekitStandIn {
  /** Rooms by their names. */
  readonly rooms = new Map<string, Told>();
  /** Participants by the name of their room. */
  readonly participants = new Map<string, Told[]>();
  /** Egresses by their ids; those of status EGRESS_COMPLETE and beyond are only listed by id. */
  readonly egresses = new Map<string, Told>();
  readonly calls: StandInCall[] = [];
  /** What goes wrong, by method. */
  readonly troubles = new Map<string, Trouble>();
  /** What happens before a call is answered, by method. */
  readonly meanwhile = new Map<string, () => void>();
  private readonly server: Server;
  private readonly verifier: TokenVerifier;

  private constructor({ apiKey, apiSecret }: { apiKey: string; apiSecret: string }) {
    this.verifier = new TokenVerifier(apiKey, apiSecret);
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  /** @param port a certain port instead of any free one. */
  static async start(key: { apiKey: string; apiSecret: string }, port = 0): Promise<LivekitStandIn> {
    const standIn = new LivekitStandIn(key);
    await new Promise<void>((resolve) => standIn.server.listen(port, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How often a method was called. */
  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** Empties it of everything, troubles included. */
  reset(): void {
    for (const held of [this.rooms, this.participants, this.egresses, this.troubles, this.meanwhile])
      held.clear();
    this.calls.length = 0;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, method = ''] = /^\/twirp\/livekit\.(?:RoomService|Egress)\/(\w+)$/.exec(request.url ?? '') ?? [];
    const body = (await json(request)) as Told;
    this.calls.push({ method, body });
    this.meanwhile.get(method)?.();
    const trouble = this.troubles.get(method);
    if (trouble === 'hang') return;
    if (trouble !== undefined) return refuse(response, trouble);
    const grants = await this.grantsOf(request);
    if (grants === undefined) return refuse(response, UNAUTHENTICATED);
    if (!isAllowed(method, body, grants)) return refuse(response, PERMISSION_DENIED);
    const answer = this.answerTo(method, body);
    if ('status' in answer) return refuse(response, answer as Exclude<Trouble, 'hang'>);
    reply(response, 200, answer);
  }

  private async grantsOf({ headers }: IncomingMessage): Promise<Grants | undefined> {
    const [, token = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
    try {
      return (await this.verifier.verify(token)).video ?? {};
    } catch {
      return undefined;
    }
  }

  private answerTo(method: string, body: Told): Told | Exclude<Trouble, 'hang'> {
    switch (method) {
      case 'ListRooms': {
        return { rooms: [...this.rooms.values()] };
      }
      case 'ListParticipants': {
        const name = body['room'] as string;
        return this.rooms.has(name) ? { participants: this.participants.get(name) ?? [] } : {};
      }
      case 'CreateRoom': {
        const name = body['name'] as string;
        const now = Date.now();
        const made = this.rooms.get(name) ?? {
          ...body,
          sid: `RM_${this.rooms.size + 1}${now}`,
          creationTime: String(Math.floor(now / 1_000)),
          creationTimeMs: String(now),
        };
        this.rooms.set(name, made);
        return made;
      }
      case 'ListEgress': {
        return this.egressesFor(body);
      }
      default: {
        return { status: 404, code: 'bad_route', msg: `no handler for ${method}` };
      }
    }
  }

  private egressesFor({ egressId, active }: Told): Told | Exclude<Trouble, 'hang'> {
    if (typeof egressId === 'string' && egressId !== '') {
      const found = this.egresses.get(egressId);
      return found === undefined
        ? { status: 404, code: 'not_found', msg: 'egress does not exist' }
        : { items: [found] };
    }
    const all = [...this.egresses.values()];
    return { items: active === true ? all.filter(isRunning) : all };
  }
}

const isRunning = ({ status }: Told): boolean =>
  ['EGRESS_STARTING', 'EGRESS_ACTIVE', 'EGRESS_ENDING', undefined].includes(status as string | undefined);

const UNAUTHENTICATED = { status: 401, code: 'unauthenticated', msg: 'permissions denied' };
const PERMISSION_DENIED = { status: 403, code: 'permission_denied', msg: 'permissions denied' };

const isAllowed = (method: string, body: Told, grants: Grants): boolean => {
  if (method === 'ListRooms') return grants.roomList === true;
  if (method === 'CreateRoom') return grants.roomCreate === true;
  if (method === 'ListParticipants') return grants.roomAdmin === true && grants.room === body['room'];
  return grants.roomRecord === true;
};

const refuse = (response: ServerResponse, { status, code, msg }: Exclude<Trouble, 'hang'>): void =>
  reply(response, status, { code, msg });

function reply(response: ServerResponse, status: number, body: Told): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
