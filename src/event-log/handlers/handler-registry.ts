import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { EventStore } from '../../database/event-store.js';
import { buildHandlers, type DeclaredMethod, type SubscribedEvents } from './build-handler.js';
import { HandlerDeclarationError } from './errors.js';
import { declarationsOf, type Handler } from './handler.js';

/** Injection token of the events that the host subscribes handlers to. */
export const SUBSCRIBED_EVENTS = Symbol.for('nestjs-livekit-webhooks:subscribed-events');

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** The durable handlers of this application: methods of its providers that carry a handler's decorator. */
@Injectable()
export class HandlerRegistry implements OnModuleInit {
  private found: ReadonlyMap<string, Handler> | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly store: EventStore,
    @Inject(SUBSCRIBED_EVENTS) private readonly subscribed: SubscribedEvents,
  ) {}

  onModuleInit(): void {
    void this.handlers; // so that a declaration that can't work stops the application from starting
  }

  /**
   * The handlers by name; available from `onModuleInit` on, when every provider exists.
   *
   * @throws HandlerDeclarationError naming class, method and cure.
   */
  get handlers(): ReadonlyMap<string, Handler> {
    return (this.found ??= this.discover());
  }

  private discover(): ReadonlyMap<string, Handler> {
    const handlers = new Map<string, Handler>();
    for (const method of this.declaredMethods()) {
      for (const handler of buildHandlers(method, this.subscribed)) {
        const twin = handlers.get(handler.name);
        if (twin !== undefined) throw sameName(handler, twin);
        this.requireTransactions(handler);
        handlers.set(handler.name, handler);
      }
    }
    return handlers;
  }

  private *declaredMethods(): Generator<DeclaredMethod> {
    const seen = new Set<unknown>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const prototype = prototypeOf(wrapper);
      if (prototype === null || seen.has(wrapper.instance)) continue;
      for (const key of this.scanner.getAllMethodNames(prototype)) {
        const declarations = declarationsOf(prototype[key] as object);
        if (declarations.length === 0) continue;
        const where = `${prototype.constructor.name}.${key}`;
        if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
          throw new HandlerDeclarationError(
            where,
            'a durable handler has no request to be made for: give its class (and what it injects) the default scope, and take ' +
              'what it needs from the event and the context',
          );
        }
        const instance = wrapper.instance as Record<string, (...args: unknown[]) => unknown>;
        seen.add(instance);
        yield {
          where,
          declarations,
          call: (argument, context) => instance[key]?.(argument, context),
        };
      }
    }
  }

  private requireTransactions({ where, transactional, internal }: Handler): void {
    if (!transactional || internal || this.store.hasHostTransactions) return;
    throw new HandlerDeclarationError(
      where,
      'is `transactional`, and there is no transaction to be had: give the DataSource that your entities are in, ' +
        'connected to the same PostgreSQL database, as `database: { url, handlers: dataSource }`',
    );
  }
}

function prototypeOf(wrapper: Wrapper): Record<string, unknown> | null {
  const { instance, metatype } = wrapper;
  // A request-scoped provider's instance is an empty object of its prototype; a factory's has a class of its own.
  if (typeof instance === 'object' && instance !== null) {
    return Object.getPrototypeOf(instance) as Record<string, unknown> | null;
  }
  return (metatype?.prototype ?? null) as Record<string, unknown> | null;
}

function sameName(handler: Handler, twin: Handler): HandlerDeclarationError {
  const cure =
    handler.where === twin.where
      ? 'its class is provided twice: provide it in one module, and export it from there'
      : `has the same name as ${twin.where}: give each a \`name\` of its own`;
  return new HandlerDeclarationError(handler.where, `handler \`${handler.name}\` ${cure}`);
}
