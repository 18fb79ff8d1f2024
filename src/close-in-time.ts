import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';

/** How long what is in hand may take once the server closes, milliseconds: a webhook's body has 10 s, its commit 2 s. */
const LONGEST_CLOSE = 15_000;

/** How long connections that have no request in hand are listened to then, milliseconds: one may be on its way to us. */
const LAST_CALL = 200;

/**
 * Lets `server.close()` come to an end: it waits for every connection, also for one that never sends a byte or stops in the
 * middle of a request, and by then Node's own time limits are off. What has no request in hand is closed after a fifth of a
 * second (a load balancer opens connections ahead, and a proxy sends the next request on one that it has kept), what has one
 * when it is answered, and all that is left after 15 s.
 */
export function closeInTime(server: Server): void {
  const connections = new Set<Socket>();
  const open = new Set<Socket>();
  // Weak: of requests that came one behind the other, the later responses never close when the client goes.
  const inHand = new WeakMap<Socket, number>();
  let isClosing = false;
  let accepted = 0;

  const addTo = (set: Set<Socket>) => (socket: Socket) => {
    set.add(socket);
    socket.once('close', () => set.delete(socket));
  };
  server.on('connection', addTo(connections));
  server.on('connection', () => (accepted += 1));
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

  // Node calls it as it closes, and would cut off a request that has come and is not read yet.
  server.closeIdleConnections = () => undefined;
  const close = server.close.bind(server);
  // Node accepts one connection a turn, and whoever has connected and is not accepted when it closes is cut off.
  const allAreIn = async () => {
    const end = performance.now() + LAST_CALL;
    for (let known = -1; known !== accepted && performance.now() < end;) {
      known = accepted;
      await nextTurn(); // what is left of this one
      await nextTurn();
    }
  };
  const closeOnceAllAreIn = async (callback?: (error?: Error) => void) => {
    await allAreIn();
    close(callback);
    setTimeout(() => {
      for (const socket of open) if (!inHand.has(socket)) socket.destroy();
    }, LAST_CALL).unref();
    setTimeout(() => connections.forEach((socket) => socket.destroy()), LONGEST_CLOSE).unref();
  };
  server.close = (callback) => {
    isClosing = true;
    void closeOnceAllAreIn(callback);
    return server;
  };
}
