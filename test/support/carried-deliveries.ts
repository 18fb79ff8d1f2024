import { Dispatcher } from '../../src/event-log/engines/dispatcher.js';
import type { LoggedEvent } from '../../src/event-log/events.js';
import { type HandlerHost, handlerHosts } from './handlers.js';
import { type ENGINES, PrivateServer } from './private-server.js';

/** Hosts of a test whose deliveries an engine carries, and what their handlers received. For use in `describe`. */
export function carriedDeliveries(type: (typeof ENGINES)[number]) {
  const hosts = handlerHosts();
  const given: string[] = [];
  let server: PrivateServer;

  beforeEach(async () => {
    given.length = 0;
    server = await (await PrivateServer.of(type)).start();
  });

  afterEach(async () => {
    await server.remove();
  });

  return {
    hosts,
    /** One line per call: the handler's name and the event's id. */
    given,
    /** The engine's server, a new one for each test. */
    get server(): PrivateServer {
      return server;
    },
    figures: (host: HandlerHost) => host.app.get(Dispatcher).figures,
    /** The body of a handler of this name, which records its call. */
    take:
      (name: string) =>
      ({ eventId }: LoggedEvent): void =>
        void given.push(`${name} ${eventId}`),
    /** The ids of the events that a handler received, in order. */
    givenTo: (name: string) =>
      given.filter((line) => line.startsWith(`${name} `)).map((line) => line.split(' ')[1]),
  };
}
