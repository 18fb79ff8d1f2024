import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Started } from './started.js';

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"status":"accepted"}');

/** Answers each request once all of its bytes are there, and does nothing else: what is measured of it is whoever sends. */
export function startWire(): Promise<Started> {
  const server = createServer((socket) => {
    let missing = 0;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (missing === 0) {
        const text = chunk.toString('latin1');
        missing = text.indexOf('\r\n\r\n') + 4 + Number(/^content-length: (\d+)/im.exec(text)?.[1]);
      }
      missing -= chunk.length;
      if (missing === 0) socket.write(ANSWER);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}`, drain: async () => undefined, backlog: async () => 0 });
    });
  });
}
