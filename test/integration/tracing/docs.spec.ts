import { Injectable } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { OnLivekitEvent, OnSessionEvent } from '../../../src/index.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { LivekitStandIn } from '../../support/livekit-stand-in.js';
import { recordedSpans } from '../../support/recorded-spans.js';
import { sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

/** A span as the documentation tells it, or as all of its kind were. */
interface ToldSpan {
  kind: string;
  attributes: string[];
}

/** OpenTelemetry's numbers. */
const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];

/** The rows of the table of spans. */
function documented(): Record<string, ToldSpan> {
  const rows = readFileSync('docs/tracing.md', 'utf8').matchAll(/^\| `([^`]+)` +\| (\w+) +\| (.*?) *\|$/gm);
  return Object.fromEntries(
    [...rows].map(([, name = '', kind = '', attributes = '']) => [
      name,
      { kind, attributes: [...attributes.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code).toSorted() },
    ]),
  );
}

const nameOf = (name: string): string =>
  name
    .replace(/^POST \/.*/, 'POST <path>')
    .replace(/^process .*/, 'process <handler>')
    .replace(/^livekit\.\w+\/\w+$/, 'livekit.<service>/<method>');

@Injectable()
class Business {
  @OnLivekitEvent('room_finished', { name: 'fails' })
  fail(): void {
    throw new Error('no');
  }

  @OnSessionEvent('session.settled', { name: 'billing' })
  bill(): void {}

  @OnLivekitEvent('*', { name: 'counts', batch: 100 })
  count(_: unknown[]): void {}
}

describe('the spans of an application that has everything', () => {
  const hosts = sessionHosts();
  const exporter = recordedSpans();
  let livekit: LivekitStandIn;

  beforeAll(async () => {
    livekit = await LivekitStandIn.start(CAPTURE_KEY);
  });
  afterAll(() => livekit.stop());

  test('are those that are documented, with their kinds and attributes, and no others', async () => {
    const host = await hosts.boot({ providers: [Business], sessions: { livekitUrl: livekit.url } });
    await host.play('two-party-call');
    await host.pass(60_000);
    const refused = await fetch(`${await host.app.getUrl()}/voice/livekit/webhooks`, {
      method: 'POST',
      body: '{}',
    });
    expect(refused.status).toBe(401);
    await until('LiveKit to be asked', () =>
      exporter.getFinishedSpans().some(({ name }) => name.startsWith('livekit.')),
    );
    const seen: Record<string, { kind: string; attributes: Set<string> }> = {};
    for (const { name, kind, attributes } of exporter.getFinishedSpans()) {
      const all = (seen[nameOf(name)] ??= { kind: KINDS[kind] ?? '', attributes: new Set() });
      for (const attribute of Object.keys(attributes)) all.attributes.add(attribute);
    }
    const told = Object.entries(seen).map(([name, { kind, attributes }]): [string, ToldSpan] => [
      name,
      { kind, attributes: [...attributes].filter((attribute) => attribute !== 'error.type').toSorted() },
    ]);
    expect(Object.fromEntries(told)).toEqual(documented());
  });
});
