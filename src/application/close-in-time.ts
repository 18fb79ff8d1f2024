import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';

/** How long open requests may take once the server closes, milliseconds: a webhook's body has 10 s, its commit 2 s. */
const LONGEST_CLOSE = 15_000;

/** How long idle connections then stay open, milliseconds: a request may be on its way to us. */
const LAST_CALL = 200;

/**
 * Makes `server.close()` finish: it waits for every connection, even one that never sends a byte or stops in the middle of a
 * request, and by then Node's own time limits are off. A connection without a request in progress is closed after a fifth of
 * a second (a load balancer opens connections ahead, and a proxy sends the next request on one that it has kept), one with a
 * request when that is answered, and all that are left after 15 s.
 */
export function closeInTime(server: Server): void {
  const connections = new Set<Socket>();
  const open = new Set<Socket>();
  // Weak, because the later responses of pipelined requests never close when the client goes.
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

  // Node calls this as it closes, and it would cut off a request that has arrived but is not read yet.
  server.closeIdleConnections = () => undefined;
  const close = server.close.bind(server);
  // Node accepts one connection a turn, and cuts off clients that have connected but are not accepted when it closes.
  const allAreIn = async () => {
    const end = performance.now() + LAST_CALL;
    for (let known = -1; known !== accepted && performance.now() < end;) {
      known = accepted;
      await nextTurn(); // the rest of this one
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
