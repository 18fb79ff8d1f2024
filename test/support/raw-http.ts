import { connect, type Socket } from 'node:net';

/** An answer as it arrived over the wire. */
export interface RawAnswer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  text: string;
  /** The statuses of the 1xx answers before it. */
  interim: number[];
}

/** A request as it is to be written. */
export interface RawRequest {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

/** A TCP connection on which HTTP is written by hand: slowly, in pieces, falsely, or not to its end. */
export class RawConnection {
  private received = Buffer.alloc(0);
  private over = false;
  private onNews: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly host: string,
  ) {
    const news = () => this.onNews();
    socket.setNoDelay(true);
    socket.on('error', () => undefined); // waiters learn of it from the close that follows
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      news();
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.over = true;
      news();
    });
  }

  /** Connects to the server of a URL. */
  static open(url: string): Promise<RawConnection> {
    const { hostname, port, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) }, () =>
        resolve(new RawConnection(socket, host)),
      );
      socket.once('error', reject);
    });
  }

  /** Writes bytes as they are. */
  write(bytes: Buffer | string): this {
    this.socket.write(bytes);
    return this;
  }

  /** Writes the head of a request, without a body or its length. */
  head({ method = 'POST', path, headers = {} }: Omit<RawRequest, 'body'>): this {
    const lines = Object.entries({ Host: this.host, ...headers }).map(([name, value]) => `${name}: ${value}`);
    return this.write([`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
  }

  /** Writes a piece of a chunked body. */
  chunk(bytes: Buffer | string): this {
    return this.write(`${Buffer.byteLength(bytes).toString(16)}\r\n`)
      .write(bytes)
      .write('\r\n');
  }

  /** Ends a chunked body. */
  lastChunk(): this {
    return this.write('0\r\n\r\n');
  }

  /** Resolves with the next answer; `bodyless` when it is the answer to a HEAD. */
  async answer({ bodyless = false } = {}): Promise<RawAnswer> {
    const interim: number[] = [];
    for (;;) {
      const answer = await this.message(bodyless);
      if (answer.status >= 200) return { ...answer, interim };
      interim.push(answer.status);
    }
  }

  /** Resolves once the server has said `100 Continue`: from then on it waits for the body. */
  async continued(): Promise<void> {
    const { status } = await this.message(false);
    if (status !== 100) throw new Error(`expected 100 Continue, got ${status}`);
  }

  /** Resolves once the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.over) await this.news();
  }

  /** Breaks the connection off. */
  cut(): void {
    // Node never releases a socket that is reset while it ends: the process would not exit.
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  private async message(bodyless: boolean): Promise<Omit<RawAnswer, 'interim'>> {
    for (;;) {
      const parsed = parseAnswer(this.received, this.over, bodyless);
      if (parsed !== undefined) {
        this.received = this.received.subarray(parsed.length);
        return parsed.answer;
      }
      if (this.over) {
        throw new Error(`the connection was closed without an answer (${this.received.length} bytes)`);
      }
      await this.news();
    }
  }

  private news(): Promise<void> {
    return new Promise((resolve) => (this.onNews = resolve));
  }
}

/** Makes a request on a connection of its own. */
export async function rawRequest(url: string, { body, ...request }: RawRequest): Promise<RawAnswer> {
  const connection = await RawConnection.open(url);
  try {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    connection.head({ ...request, headers: { Connection: 'close', ...length, ...request.headers } });
    if (body !== undefined) connection.write(body);
    return await connection.answer({ bodyless: request.method === 'HEAD' });
  } finally {
    connection.cut();
  }
}

interface ParsedAnswer {
  answer: Omit<RawAnswer, 'interim'>;
  /** Its length in bytes. */
  length: number;
}

function parseAnswer(bytes: Buffer, over: boolean, bodyless: boolean): ParsedAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const headers = Object.fromEntries(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const start = end + 4;
  const body =
    bodyless || status < 200 || status === 204 || status === 304
      ? { text: '', length: 0 }
      : parseBody(bytes.subarray(start), headers, over);
  return body && { answer: { status, headers, text: body.text }, length: start + body.length };
}

function parseBody(
  bytes: Buffer,
  headers: Record<string, string>,
  over: boolean,
): { text: string; length: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(bytes);
  const length = Number(headers['content-length'] ?? (over ? bytes.length : Number.POSITIVE_INFINITY));
  return bytes.length < length ? undefined : { text: bytes.toString('utf8', 0, length), length };
}

function parseChunks(bytes: Buffer): { text: string; length: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { text: Buffer.concat(chunks).toString(), length: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
