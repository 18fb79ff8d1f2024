import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listenOnPostgres } from '../../../src/database/postgres/listener.js';

/** What PostgreSQL says to whoever connects: no password is asked for, and it is ready. */
const READY = Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1');

describe('a listener on PostgreSQL', () => {
  let server: Server | undefined;

  afterEach(() => new Promise((resolve) => server?.close(resolve)));

  /** Listens as a server that breaks a connection as soon as it is asked for anything. */
  async function serverThat(breaks: (socket: Socket) => void): Promise<string> {
    const listening = createServer((socket) => {
      socket.once('data', () => {
        socket.write(READY);
        socket.once('data', () => breaks(socket));
      });
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return `postgres://me@127.0.0.1:${(listening.address() as AddressInfo).port}/voice`;
  }

  test.each<[string, (socket: Socket) => void]>([
    ['reset', (socket) => socket.resetAndDestroy()],
    ['closed', (socket) => socket.end()],
  ])('whose connection is %s before it listens tells that once, by its rejection', async (_, breaks) => {
    const url = await serverThat(breaks);
    const told: string[] = [];
    await listenOnPostgres(
      url,
      'anything',
      () => told.push('notified'),
      () => told.push('lost'),
    ).catch(() => told.push('rejected'));
    expect(told).toEqual(['rejected']);
  });
});
