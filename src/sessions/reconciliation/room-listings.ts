import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { abandonable } from '../../database/abandonable.js';
import { CLOCK, type Clock } from '../../event-log/clock.js';
import { type Ask, askUntil, LivekitCallError } from './asking.js';
import { type LivekitClient, LivekitClients } from './livekit-clients.js';
import { toldRoom, type ToldRoom } from './told.js';

/** How long LiveKit's last answer is taken for current, milliseconds: two rounds by default. */
export const FRESH = 30_000;

/** How long a caller waits for an answer that is not there yet, milliseconds. */
const PATIENCE = 2_000;

/** What LiveKit said when asked which rooms a project has, or why it did not answer. Times are UTC milliseconds. */
export type RoomListing = { project: string; host: string; at: number } & (
  | { error: LivekitCallError; opened?: undefined }
  /** When each room that has participants was opened. */
  | { error?: undefined; opened: readonly number[] }
);

/** Asks LiveKit for rooms, and remembers how that went, so that others need not ask again. */
@Injectable()
export class RoomListings implements OnModuleDestroy {
  private readonly latest = new Map<string, RoomListing>();
  private readonly asked = new Map<string, Promise<unknown>>();
  private readonly stopping = new AbortController();
  private readonly askNow: Ask = askUntil(this.stopping.signal);

  constructor(
    private readonly clients: LivekitClients,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleDestroy(): void {
    this.stopping.abort(new Error('the application is stopping'));
  }

  /** The rooms of a project. @throws LivekitCallError when LiveKit does not list them. */
  async ask({ project, host, rooms }: LivekitClient, ask: Ask): Promise<ToldRoom[]> {
    const keep = (said: { error: LivekitCallError } | { opened: readonly number[] }) =>
      this.latest.set(project, { project, host, at: this.clock.now(), ...said });
    try {
      const listed = (await ask('RoomService/ListRooms', () => rooms.listRooms())).map(toldRoom);
      const occupied = listed.filter(({ numParticipants }) => numParticipants > 0);
      keep({ opened: occupied.map(({ openedAt }) => openedAt ?? 0) });
      return listed;
    } catch (error) {
      if (error instanceof LivekitCallError) keep({ error });
      throw error;
    }
  }

  /** The last answer for each project whose LiveKit has an address; asks anew when that is not fresh, one call at a time. */
  recent(): Promise<RoomListing[]> {
    return Promise.all(this.clients.all().map((client) => this.recentOf(client)));
  }

  private async recentOf(client: LivekitClient): Promise<RoomListing> {
    const { project, host } = client;
    if (!this.isFresh(project)) await this.askOnce(client);
    return (
      this.latest.get(project) ?? {
        project,
        host,
        at: this.clock.now(),
        error: new LivekitCallError({ name: 'TimeoutError' }),
      }
    );
  }

  private isFresh(project: string): boolean {
    const age = this.clock.now() - (this.latest.get(project)?.at ?? -Infinity);
    return age >= 0 && age < FRESH; // a clock that is set back makes nothing fresh
  }

  /** Asks, unless a call is under way; waits at most `PATIENCE` for the answer, which is kept whenever it comes. */
  private async askOnce(client: LivekitClient): Promise<void> {
    const { project } = client;
    const asking =
      this.asked.get(project) ?? this.ask(client, this.askNow).finally(() => this.asked.delete(project));
    this.asked.set(project, asking);
    const limit = { after: PATIENCE, error: new Error('no answer yet') };
    await abandonable(() => asking, { limit }).catch(() => undefined);
  }
}
