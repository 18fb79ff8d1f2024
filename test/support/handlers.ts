import {
  type INestApplication,
  Injectable,
  type LoggerService,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CLOCK, type Clock } from '../../src/event-log/clock.js';
import { Deliveries } from '../../src/event-log/deliveries/deliveries.js';
import { EVENT_LOG_LIMITS, EventLog } from '../../src/event-log/event-log.js';
import type { EventKind, LoggedEvent } from '../../src/event-log/events.js';
import type { DeliveryContext } from '../../src/event-log/handlers/context.js';
import { declareHandler, type HandlerOptions } from '../../src/event-log/handlers/handler.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import type {
  LivekitWebhookModuleExtras,
  LivekitWebhookModuleOptions,
} from '../../src/livekit-webhook/livekit-webhook.options.js';
import { AssignableClock } from './clock.js';
import { newEvent } from './events.js';
import { hostsOnFreshDatabase } from './hosts.js';
import { PATIENT } from './patience.js';
import { RecordingLogger } from './recording-logger.js';
import { TEST_KEY } from './signing.js';
import { NOW } from './webhook.js';

/** An application with durable handlers, and a clock that stands still until it is set. */
export interface HandlerHost {
  app: INestApplication;
  log: EventLog;
  deliveries: Deliveries;
  clock: AssignableClock;
  logger: RecordingLogger;
  /** Appends LiveKit events as if they had been received: `['EV_1', 'room_started', 'RM_1']`. */
  receive(...events: [id: string, name: string, roomSid?: string][]): Promise<void>;
  /** Advances the clock, and runs everything due then. */
  pass(milliseconds: number): Promise<void>;
}

/** The parts and options of such an application. */
export interface HandlerHostShape {
  url: string;
  providers: NonNullable<ModuleMetadata['providers']>;
  imports?: NonNullable<ModuleMetadata['imports']>;
  options?: Partial<LivekitWebhookModuleOptions & LivekitWebhookModuleExtras>;
  /** The time its clock starts at, by default the time of the tests. */
  time?: number;
  /** Its clock instead: `systemClock`, or one that several applications share. */
  clock?: Clock;
}

/** Boots such an application; it does not listen. */
export async function bootHandlers(shape: HandlerHostShape): Promise<HandlerHost> {
  const { url, providers, imports = [], options = {}, time = NOW } = shape;
  const clock = shape.clock instanceof AssignableClock ? shape.clock : new AssignableClock(time);
  const logger = new RecordingLogger();
  const { database, ...others } = options;
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({ ...TEST_KEY, ...others, database: { ...database, url } }),
      ...imports,
    ],
    providers,
  })
    .overrideProvider(CLOCK)
    .useValue(shape.clock ?? clock)
    .overrideProvider(EVENT_LOG_LIMITS)
    .useValue(PATIENT)
    .setLogger(logger as LoggerService)
    .compile();
  const app = module.createNestApplication({ logger });
  await app.init();
  const log = app.get(EventLog);
  const deliveries = app.get(Deliveries);
  return {
    app,
    log,
    deliveries,
    clock,
    logger,
    async receive(...events) {
      await Promise.all(
        events.map(([id, event, sid]) =>
          log.receive(
            newEvent({ id, event, ...(sid !== undefined && { room: { sid, name: `name-of-${sid}` } }) }),
          ),
        ),
      );
    },
    async pass(milliseconds) {
      clock.advance(milliseconds);
      await deliveries.drain();
    },
  };
}

/** Boots applications with handlers, all of a test on one database, and removes both after it. For use in `describe`. */
export const handlerHosts = () =>
  hostsOnFreshDatabase(
    (url, providers: HandlerHostShape['providers'], shape: Partial<HandlerHostShape> = {}) =>
      bootHandlers({ url, providers, ...shape }),
  );

/** How a handler of a test is declared. */
export interface TestHandlerOptions extends HandlerOptions {
  kind?: EventKind;
  names?: readonly string[];
  /** It is one of ours. */
  internal?: boolean;
}

/** A provider with a handler of that name, by default for all of LiveKit's events, given each as it is in the log. */
export function handlerOf<Context = DeliveryContext, Event = LoggedEvent>(
  name: string,
  take: (event: Event, context: Context) => unknown = () => undefined,
  { kind = 'livekit', names = ['*'], internal = false, ...options }: TestHandlerOptions = {},
): Type {
  @Injectable()
  class Provided {
    @declareHandler({ kind, names, options: { name, ...options }, decode: (event) => event, internal })
    take(event: unknown, context: unknown) {
      return take(event as Event, context as Context);
    }
  }
  return Provided;
}
