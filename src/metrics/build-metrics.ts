import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { EventStore } from '../database/event-store.js';
import { ROLE, type Role } from '../event-log/role.js';
import { Instruments } from './instruments.js';
import { PACKAGE_VERSION } from './package-version.js';

/** Shows the version, Node, database and role that run here. */
@Injectable()
export class BuildMetrics implements OnModuleInit {
  constructor(
    private readonly instruments: Instruments,
    private readonly store: EventStore,
    @Inject(ROLE) private readonly role: Role,
  ) {}

  onModuleInit(): void {
    const { role, store } = this;
    const build = { version: PACKAGE_VERSION, node: process.versions.node, database: store.dialect, role };
    this.instruments.gauge(
      {
        name: 'livekit_webhooks_build_info',
        help: 'Always 1: the version that runs, on which Node and which database, in which role.',
        labelNames: ['version', 'node', 'database', 'role'],
      },
      function () {
        this.set(build, 1);
      },
    );
  }
}
