import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A receiver that listens. */
export interface Started {
  url: string;
  /** Resolves when its handlers have nothing left to do. */
  drain: () => Promise<void>;
  /** How much they have to do. */
  backlog: () => Promise<number>;
}

/** One that has no handlers. */
export function startPlain(listener: RequestListener): Promise<Started> {
  return new Promise((resolve) => {
    const server = createServer(listener).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}`, drain: async () => undefined, backlog: async () => 0 });
    });
  });
}
