import { Dispatcher } from '../../src/event-log/dispatcher.js';
import type { LoggedEvent } from '../../src/event-log/events.js';
import { type HandlerHost, handlerHosts } from './handlers.js';
import { type ENGINES, PrivateServer } from './private-server.js';

/** Hosts of a test whose deliveries an engine carries, and what their handlers were given. For use in `describe`. */
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
    /** A handler's name and an event's id each. */
    given,
    /** The engine's, of each test its own. */
    get server(): PrivateServer {
      return server;
    },
    figures: (host: HandlerHost) => host.app.get(Dispatcher).figures,
    /** What a handler of this name does. */
    take:
      (name: string) =>
      ({ eventId }: LoggedEvent): void =>
        void given.push(`${name} ${eventId}`),
    /** The ids of what a handler was given, in its order. */
    givenTo: (name: string) =>
      given.filter((line) => line.startsWith(`${name} `)).map((line) => line.split(' ')[1]),
  };
}
