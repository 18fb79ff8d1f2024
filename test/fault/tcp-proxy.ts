import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a network fails. */
export type Trouble =
  /** The server is gone: connections break, and new ones are refused. */
  | 'refuse'
  /** Something in between breaks every connection as soon as it is made. */
  | 'drop'
  /** Nothing breaks and nothing arrives, on old connections and new ones. */
  | 'freeze'
  /** As `freeze`, and when it is over the client's connections are gone, and the server has not heard of it. */
  | 'part'
  /** What is sent arrives, and no answer does. */
  | 'mute';

/** Each of them, as it is told of a server: for `test.each`. */
export const TROUBLES: [told: string, trouble: Trouble][] = [
  ['is gone', 'refuse'],
  ['is behind a network that breaks every connection', 'drop'],
  ['hangs', 'freeze'],
  ['never hears of our leaving', 'part'],
];

interface Link {
  client: Socket;
  server: Socket;
}

/** A TCP proxy that can be told to fail, to be slow, and to lead elsewhere. */
export class TcpProxy {
  private trouble: Trouble | undefined;
  private delay = 0;
  private readonly links = new Set<Link>();
  /** Connections whose client is gone, and of which the server does not know. */
  private readonly orphans = new Set<Socket>();
  private readonly listener: Server = createServer((client) => this.accept(client));
  private port = 0;

  private constructor(private target: { host: string; port: number }) {}

  /** Listens in front of the server of a URL. */
  static async before(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(addressOf(url));
    await proxy.listen();
    return proxy;
  }

  /** Leads new connections to the server of another URL. */
  leadTo(url: string): void {
    this.target = addressOf(url);
  }

  /** Keeps whatever goes either way for so long from now on, milliseconds. */
  slowDown(delay: number): void {
    this.delay = delay;
  }

  /** The URL of what is behind, by way of this proxy. */
  through(url: string): string {
    const detour = new URL(url);
    detour.hostname = '127.0.0.1';
    detour.port = String(this.port);
    return detour.href;
  }

  /** Fails from now on, until mended. */
  async fail(trouble: Trouble): Promise<void> {
    this.trouble = trouble;
    if (trouble === 'freeze' || trouble === 'part' || trouble === 'mute') {
      for (const link of this.links) this.hold(link);
      return;
    }
    const closed =
      trouble === 'refuse' ? new Promise((resolve) => this.listener.close(resolve)) : Promise.resolve();
    this.breakLinks();
    await closed;
  }

  /** Nothing arrives any more on the connections that there are, as behind a firewall that has forgotten them. */
  forget(): void {
    for (const link of this.links) this.hold(link);
  }

  /** Lets everything through again. */
  async mend(): Promise<void> {
    const { trouble } = this;
    this.trouble = undefined;
    if (trouble === 'part') this.orphan();
    if (trouble === 'refuse') await this.listen();
    for (const { client, server } of this.links) [client, server].forEach((socket) => socket.resume());
  }

  async close(): Promise<void> {
    this.breakLinks();
    for (const orphan of this.orphans) orphan.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private listen(): Promise<void> {
    return new Promise((resolve) => {
      this.listener.listen(this.port, '127.0.0.1', () => {
        this.port = (this.listener.address() as { port: number }).port;
        resolve();
      });
    });
  }

  private accept(client: Socket): void {
    if (this.trouble === 'drop') return void client.destroy();
    const server = connect(this.target);
    const link = { client, server };
    this.links.add(link);
    if (this.trouble !== undefined) this.hold(link);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => undefined);
      let passed = Promise.resolve();
      from.on('data', (chunk) => {
        passed = this.pass(chunk, to, passed);
      });
    }
    client.on('close', () => {
      this.links.delete(link);
      if (!this.orphans.has(server)) server.destroy();
    });
    server.on('close', () => {
      this.links.delete(link);
      client.destroy();
    });
  }

  private hold({ client, server }: Link): void {
    server.pause();
    if (this.trouble !== 'mute') client.pause();
  }

  /** Whatever goes one way keeps its order, though a delay ends that was longer. */
  private async pass(chunk: Buffer, to: Socket, before: Promise<void>): Promise<void> {
    if (this.delay > 0) await sleep(this.delay);
    await before;
    to.write(chunk);
  }

  private orphan(): void {
    for (const { client, server } of this.links) {
      this.orphans.add(server);
      client.destroy();
    }
    this.links.clear();
  }

  private breakLinks(): void {
    for (const { client, server } of this.links) [client, server].forEach((socket) => socket.destroy());
  }
}

const addressOf = (url: string): { host: string; port: number } => {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 5432) };
};
