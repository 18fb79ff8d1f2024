import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { METRICS_REGISTRY } from '../../../src/metrics/metrics.registry.js';
import { OutletsModule } from '../../../src/outlets/outlets.module.js';
import { OutletReceiver } from '../../support/outlet-receiver.js';
import { sessionHosts } from '../../support/session-host.js';

/** A metric as the documentation tells it, or as it is. */
interface ToldMetric {
  name: string;
  type: string;
  labels: string[];
}

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** The rows of the tables of metrics. */
function documented(): ToldMetric[] {
  const text = readFileSync('docs/observability.md', 'utf8');
  return [...text.matchAll(/^\| `(livekit_\w+)` *\| (\w+) *\| (.*?) *\| (.+?) *\| (.+?) *\|$/gm)].map(
    ([, name = '', type = '', labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    }),
  );
}

const byName = (a: ToldMetric, b: ToldMetric) => a.name.localeCompare(b.name);

describe('the metrics of an application that has everything', () => {
  const hosts = sessionHosts();
  let receiver: OutletReceiver;

  beforeEach(async () => {
    receiver = await OutletReceiver.listen();
  });

  afterEach(() => receiver.close());

  const boot = (processMetrics: boolean) =>
    hosts.boot({
      imports: [
        OutletsModule.forRoot({
          webhook: { url: receiver.url, secret: receiver.secret, allow: ['127.0.0.1'] },
        }),
        MetricsModule.forRoot({ processMetrics }),
      ],
    });

  test('are those that are documented, with their types and labels, and no others', async () => {
    const host = await boot(false);
    await host.play('two-party-call');
    const registry = host.app.get<Registry>(METRICS_REGISTRY);
    const text = await (await fetch(`${await host.app.getUrl()}/metrics`)).text();
    const scraped = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({
      name,
      type,
      labels: Reflect.get(registry.getSingleMetric(name) ?? {}, 'labelNames') as string[],
    }));
    expect(scraped.length).toBeGreaterThan(30);
    expect(documented().toSorted(byName)).toEqual(scraped.toSorted(byName));
  });

  (hasPromtool ? test : test.skip)('are what Prometheus takes for good ones', async () => {
    const host = await boot(true);
    await host.play('two-party-call');
    const input = await (await fetch(`${await host.app.getUrl()}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input });
    expect([`${stdout}${stderr}`, status]).toEqual(['', 0]);
  });
});
