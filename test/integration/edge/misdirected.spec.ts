import { ADAPTERS, bootHost, EVERYTHING, type Host, type HostShape } from '../../support/host.js';
import { until } from '../../support/until.js';
import { webhook } from '../../support/webhook.js';

const SHAPES: [string, HostShape][] = [
  ['on its own', {}],
  ['in a host with everything global', EVERYTHING],
];

describe.each(ADAPTERS)('a webhook that is posted elsewhere on %s', (adapter) => {
  const warnings = ({ logger }: Host) =>
    logger
      .of('LivekitWebhook')
      .filter((line) => (line as { message: string }).message.startsWith('a webhook was posted'));

  test.each(SHAPES)('is told of where nobody takes it, by its path, %s', async (_name, shape) => {
    // A host that answers every error 200 has taken it.
    const { filter: _filter, ...answering404 } = shape;
    const host = await bootHost(adapter, answering404);
    const body = webhook();
    await host.deliver(body);
    await host.deliver(body, { path: `${host.path}/` });
    await host.deliver(body, { headers: { 'content-type': 'application/json' }, path: '/hooks' });
    expect((await host.deliver(body, { path: '/livekit/webhook?token=secret' })).status).toBe(404);
    await until('the line', () => warnings(host).length > 0);
    expect(warnings(host)).toEqual([
      { message: 'a webhook was posted where nobody takes it, and is lost', path: '/livekit/webhook' },
    ]);
    await host.close();
  });

  test('is told of by all of its path, below the prefix of the host too', async () => {
    const host = await bootHost(adapter, { globalPrefix: 'api' });
    const paths = ['/api/livekit/webhook', `/api${host.path}`];
    for (const path of paths) expect((await host.deliver(webhook(), { path })).status).toBe(404);
    await until('the lines', () => warnings(host).length === paths.length);
    expect(warnings(host)).toMatchObject(paths.map((path) => ({ path })));
    await host.close();
  });

  test('is none of ours where a route of the host takes it', async () => {
    const host = await bootHost(adapter, { ownParser: true });
    expect((await host.deliver(webhook(), { path: '/host/echo' })).status).toBe(200);
    await host.stop();
    expect(warnings(host)).toEqual([]);
    await host.close();
  });
});
