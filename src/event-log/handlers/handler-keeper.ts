import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { ROLE, type Role } from '../role.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { inSteps } from '../in-steps.js';
import { HandlerRegistry } from './handler-registry.js';
import { HandlerTable } from './handler-table.js';

/** How often a process records which handlers it has, milliseconds. */
const INTERVAL = 3_600_000;

/** Periodically records which handlers this process has, and retires those that no process has had for a week. */
@Injectable()
export class HandlerKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Log('DeliveryRunner');
  private timer: NodeJS.Timeout | undefined;
  private keeping: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly store: EventStore,
    private readonly registry: HandlerRegistry,
    private readonly table: HandlerTable,
    @Inject(ROLE) private readonly role: Role,
  ) {}

  onApplicationBootstrap(): void {
    if (this.role === 'edge') return;
    this.timer = setInterval(() => (this.keeping = this.keep()), INTERVAL);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.keeping;
  }

  /** Does now what it does periodically; it never rejects. */
  async keep(): Promise<void> {
    try {
      const retired = await this.store.write(async (manager) => {
        await this.table.keep(manager, [...this.registry.handlers.keys()]);
        return this.table.retire(manager);
      });
      for (const name of retired) {
        this.logger.warn(
          'a handler is retired: no process has had it for a week, and it is given nothing any more',
          { handler: name },
        );
      }
      await inSteps(
        () => this.store.write((manager) => this.table.retireWaiting(manager)),
        () => this.stopping,
      );
    } catch (error) {
      this.logger.error('the store failed to keep the handlers; trying again later', errorFields(error));
    }
  }
}
