import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { EventAppender } from './append/event-appender.js';

/** Our channel on PostgreSQL. */
const CHANNEL = 'livekit_events';

/** The shortest time between two notifications of other processes, however much is appended, milliseconds. */
const SPACING = 50;

/** How long a notification of our own may take to come back, milliseconds. */
const ECHO = 5_000;

/** How long to wait before listening again when the connection is lost, milliseconds; the slow poll goes on meanwhile. */
const RECONNECT = 2_000;

/**
 * Notifies the other processes on a PostgreSQL database that there is something to do, and receives their notifications:
 * hints only, which may be lost. On SQLite, which has one process, it does nothing.
 */
@Injectable()
export class Notifications implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Log('DeliveryRunner');
  private readonly self = randomUUID();
  private readonly listeners = new Set<() => void>();
  private listening: Promise<void> | undefined;
  private endListening: () => Promise<void> = async () => undefined;
  private reconnect: NodeJS.Timeout | undefined;
  private spacing: NodeJS.Timeout | undefined;
  private echo: NodeJS.Timeout | undefined;
  private isStale = false;
  private stopped = false;

  constructor(
    private readonly store: EventStore,
    private readonly events: EventAppender,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.store.dialect === 'sqlite') return;
    this.events.onCommitted(() => this.notify());
    await (this.listening = this.listen());
  }

  /** As late as possible: what is received and released while the application stops is for other processes to run. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.reconnect);
    clearTimeout(this.spacing);
    if (this.isStale) await this.send();
    await this.listening; // a connection that is being made waits for its echo, too
    clearTimeout(this.echo);
    await this.endListening();
  }

  /** Calls `listener` when another process has done something; returns a function that ends that. */
  onNotified(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Notifies the other processes, soon. */
  notify(): void {
    if (this.store.dialect === 'sqlite' || this.stopped) return;
    this.isStale = true;
    if (this.spacing !== undefined) return;
    this.isStale = false;
    this.spacing = setTimeout(() => {
      this.spacing = undefined;
      if (this.isStale) this.notify();
    }, SPACING);
    this.spacing.unref();
    void this.send();
  }

  /** Notifies every process that a transaction of the host's has appended something, when it is committed. */
  async notifyIn(manager: EntityManager): Promise<void> {
    if (this.store.dialect === 'postgres') await manager.query('SELECT pg_notify($1, $2)', [CHANNEL, '']);
  }

  // Not in the transaction of an append: PostgreSQL commits only one transaction that notifies at a time.
  private async send(): Promise<void> {
    await this.store
      .read((manager) => manager.query('SELECT pg_notify($1, $2)', [CHANNEL, this.self]))
      .catch(() => undefined);
  }

  // A pooler accepts LISTEN, and passes no notification on.
  private expectEcho(): void {
    clearTimeout(this.echo);
    this.echo = setTimeout(() => {
      this.logger.warn(
        "notifications of PostgreSQL don't come through, and what other processes append is noticed late",
        {
          detail:
            'where a pooler such as PgBouncer stands between, give `database.listenUrl` (DATABASE_LISTEN_URL), which leads to the ' +
            'server itself',
        },
      );
    }, ECHO);
    this.echo.unref();
    void this.send();
  }

  private hear(payload: string): void {
    if (payload === this.self) clearTimeout(this.echo);
    else this.tell();
  }

  private async listen(): Promise<void> {
    try {
      this.endListening = await this.store.listen(
        CHANNEL,
        (payload) => this.hear(payload),
        () => this.listenAgain(),
      );
      this.tell(); // something may have been missed before
      this.expectEcho();
    } catch (error) {
      this.logger.warn(
        "can't listen for notifications of PostgreSQL: polling until then",
        errorFields(error),
      );
      this.listenAgain();
    }
  }

  private listenAgain(): void {
    clearTimeout(this.echo);
    if (this.stopped) return;
    this.reconnect = setTimeout(() => (this.listening = this.listen()), RECONNECT);
    this.reconnect.unref();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
