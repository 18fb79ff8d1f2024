import { Inject, Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { sharedRead } from '../database/shared-read.js';
import { CLOCK, type Clock } from '../event-log/clock.js';
import { type LastWebhooks, WebhookTimes } from '../event-log/last-webhooks.js';
import { PROJECT_KEYS, type ProjectKeys } from '../livekit-webhook/project-keys.js';
import { toldOf } from '../logging/error-fields.js';
import { KnownRooms } from '../sessions/reconciliation/known-rooms.js';
import { type RoomListing, RoomListings } from '../sessions/reconciliation/room-listings.js';
import { HEALTH_SETTINGS, type HealthSettings } from './health.options.js';
import { silenceTrouble } from './webhook-silence.js';

/** Reports to Terminus whether LiveKit's webhooks arrive, at any process; `webhook-silence.ts` says which silence is too long. */
@Injectable()
export class WebhookSilenceHealthIndicator {
  private readonly startedAt: number;
  private readonly activeProjects: () => Promise<ReadonlySet<string>>;

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly webhooks: WebhookTimes,
    @Inject(PROJECT_KEYS) private readonly projects: ProjectKeys,
    @Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings,
    @Inject(CLOCK) clock: Clock,
    @Optional() private readonly listings?: RoomListings,
    @Optional() known?: KnownRooms,
  ) {
    this.startedAt = clock.now();
    this.activeProjects = sharedRead(async () => (await known?.activeProjects()) ?? new Set());
  }

  /** Whether webhooks of every project arrive, or need not, under `key`. */
  async isHealthy(key = 'webhooks') {
    const indicator = this.indicators.check(key);
    try {
      const [webhooks, listings, active] = await Promise.all([
        this.webhooks.last(),
        this.listings?.recent() ?? [],
        // Only read when a limit depends on it.
        typeof this.settings.webhookSilence === 'number' ? this.activeProjects() : new Set<string>(),
      ]);
      const listed = new Map(listings.map((listing) => [listing.project, listing]));
      const told = [...this.projects.keys()].map(
        (name) => [name, this.told(name, webhooks, listed.get(name), active.has(name))] as const,
      );
      const projects = Object.fromEntries(told);
      return told.some(([, { status }]) => status === 'down')
        ? indicator.down({ projects })
        : indicator.up({ projects });
    } catch (error) {
      return indicator.down({ message: toldOf(error) });
    }
  }

  private told(
    project: string,
    { now, at, othersBefore }: LastWebhooks,
    listing: RoomListing | undefined,
    hasSession: boolean,
  ) {
    const last = at.get(project);
    const message = silenceTrouble(
      {
        now,
        quietSince: Math.max(last ?? othersBefore ?? 0, this.startedAt),
        opened: listing?.opened,
        // While LiveKit can't be queried, LiveKit itself may be down, which another indicator reports.
        isActive: listing === undefined ? hasSession : (listing.opened?.length ?? 0) > 0,
      },
      this.settings.webhookSilence,
    );
    return {
      status: message === undefined ? 'up' : 'down',
      lastWebhookAt: last === undefined ? null : new Date(last).toISOString(),
      rooms: listing?.opened?.length ?? null,
      ...(message !== undefined && { message }),
    };
  }
}
