import { Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { RoomListings } from '../sessions/reconciliation/room-listings.js';
import { livekitTrouble } from './livekit-trouble.js';

/** Reports to Terminus whether the LiveKit of each project with an address answered the last query. */
@Injectable()
export class LivekitHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Optional() private readonly listings?: RoomListings,
  ) {}

  /** Whether all of them did, under `key`; up where none has an address. */
  async isHealthy(key = 'livekit') {
    const indicator = this.indicators.check(key);
    const listings = (await this.listings?.recent()) ?? [];
    const projects = Object.fromEntries(
      listings.map(({ project, host, at, error }) => {
        const told = { host, askedAt: new Date(at).toISOString() };
        return [
          project,
          error === undefined
            ? { status: 'up', ...told }
            : { status: 'down', ...told, message: `LiveKit ${livekitTrouble(error)}` },
        ];
      }),
    );
    return listings.some(({ error }) => error !== undefined)
      ? indicator.down({ projects })
      : indicator.up({ projects });
  }
}
