import { connect, type Socket } from 'node:net';
import { PATH } from './keys.js';

/** The bytes of a request that delivers a body. */
export function requestOf(body: string, headers: Record<string, string>): Buffer {
  const head = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body) });
  return Buffer.from(
    `POST ${PATH} HTTP/1.1\r\nHost: bench\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  );
}

/**
 * A kept connection that sends one prepared request at a time. It reads no more of an answer than it needs, for what
 * sends shares the machine with what is measured: a request costs it a tenth of what Node's own client would take.
 */
export class Connection {
  private answer: Buffer = Buffer.alloc(0);
  private waiting: { resolve: (status: number) => void; reject: (error: Error) => void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('the server closed the connection')));
  }

  static to(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  /** Resolves with the status of the answer, once all of it is there. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    this.answer = this.answer.length === 0 ? chunk : Buffer.concat([this.answer, chunk]);
    const text = this.answer.toString('latin1');
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? NaN);
    if (Number.isNaN(length)) this.waiting?.reject(new Error('an answer told no length'));
    if (this.answer.length < head + 4 + length) return;
    this.answer = Buffer.alloc(0);
    this.waiting?.resolve(Number(text.slice(9, 12)));
  }
}
