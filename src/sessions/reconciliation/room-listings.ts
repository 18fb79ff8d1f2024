import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { abandonable } from '../../database/abandonable.js';
import { CLOCK, type Clock } from '../../event-log/clock.js';
import { type Ask, askUntil, LivekitCallError } from './asking.js';
import { type LivekitClient, LivekitClients } from './livekit-clients.js';
import { toldRoom, type ToldRoom } from './told.js';

/** For how long what LiveKit has said is taken for what it would say now, milliseconds: two rounds by default. */
export const FRESH = 30_000;

/** How long somebody waits for an answer that is not there yet, milliseconds. */
const PATIENCE = 2_000;

/** What LiveKit said when it was asked which rooms a project has, or why it did not. Times are UTC milliseconds. */
export type RoomListing = { project: string; host: string; at: number } & (
  | { error: LivekitCallError; opened?: undefined }
  /** When each room was opened that somebody takes part in. */
  | { error?: undefined; opened: readonly number[] }
);

/** Asks LiveKit for rooms, and keeps in mind how that went: whoever only wants to know need not ask again. */
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

  /** The rooms of a project. @throws LivekitCallError when LiveKit does not tell them. */
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

  /** What was said last of each project whose LiveKit has an address; asked anew when that is not fresh, once at a time. */
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
    return age >= 0 && age < FRESH; // a clock that is put back makes nothing fresh
  }

  /** Asks, unless somebody does already; waits no longer than `PATIENCE` for the answer, which is kept when it comes. */
  private async askOnce(client: LivekitClient): Promise<void> {
    const { project } = client;
    const asking =
      this.asked.get(project) ?? this.ask(client, this.askNow).finally(() => this.asked.delete(project));
    this.asked.set(project, asking);
    const limit = { after: PATIENCE, error: new Error('no answer yet') };
    await abandonable(() => asking, { limit }).catch(() => undefined);
  }
}
