import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/** How long what is in hand may take once the server closes, milliseconds: a webhook's body has 10 s, its commit 2 s. */
const LONGEST_CLOSE = 15_000;

/**
 * Lets `server.close()` come to an end: it waits for every connection, also for one that never sends a byte or stops in the
 * middle of a request, and by then Node's own time limits are off. What has no request in hand is closed at once (a load
 * balancer opens connections ahead), what has one when it is answered, and all that is left after 15 s.
 */
export function closeInTime(server: Server): void {
  const connections = new Set<Socket>();
  const open = new Set<Socket>();
  // Weak: of requests that came one behind the other, the later responses never close when the client goes.
  const inHand = new WeakMap<Socket, number>();
  let isClosing = false;

  const addTo = (set: Set<Socket>) => (socket: Socket) => {
    set.add(socket);
    socket.once('close', () => set.delete(socket));
  };
  server.on('connection', addTo(connections));
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', addTo(open));
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    inHand.set(socket, (inHand.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const others = (inHand.get(socket) ?? 1) - 1;
      if (others > 0) inHand.set(socket, others);
      else {
        inHand.delete(socket);
        if (isClosing) socket.destroySoon();
      }
    });
  });

  const close = server.close.bind(server);
  server.close = (callback) => {
    isClosing = true;
    for (const socket of open) if (!inHand.has(socket)) socket.destroy();
    setTimeout(() => connections.forEach((socket) => socket.destroy()), LONGEST_CLOSE).unref();
    return close(callback);
  };
}
