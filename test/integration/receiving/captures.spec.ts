import { CAPTURE_KEY, type CapturedDelivery, deliveries, scenarios } from '../../support/captures.js';
import { ADAPTERS, bootHost, EVERYTHING, type Host, type HostShape, Public } from '../../support/host.js';
import { seededRandom } from '../../support/random.js';
import { RawConnection } from '../../support/raw-http.js';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const SHAPES: [string, HostShape][] = [
  ['on its own', { webhooks: CAPTURE_KEY }],
  [
    'in a host with everything global',
    { ...EVERYTHING, webhooks: { ...CAPTURE_KEY, decorators: [Public()] } },
  ],
];

/** A delivery as it goes out: as it was recorded, or changed. */
interface Sent {
  headers: Record<string, string>;
  body: Buffer;
}

describe.each(ADAPTERS)("a real server's deliveries on %s", (adapter) => {
  describe.each(SHAPES)('%s', (_name, shape) => {
    let host: Host;
    let connection: RawConnection;

    const send = async ({ headers, body }: Sent) => {
      connection.head({ path: host.path, headers }).write(body);
      const { status, text } = await connection.answer();
      return [status, text];
    };

    beforeAll(async () => {
      host = await bootHost(adapter, shape);
      connection = await RawConnection.open(host.url);
    });

    afterAll(async () => {
      connection.cut();
      await host.close();
    });

    test.each(scenarios())('%s is accepted, each event once', async (scenario) => {
      const seen = new Set<string>();
      for (const delivery of deliveries(scenario)) {
        host.clock.set(delivery.receivedAt);
        const { id } = JSON.parse(delivery.body) as { id: string };
        const status = seen.has(id) ? 'duplicate' : 'accepted';
        expect(await send(asSent(delivery))).toEqual([200, JSON.stringify({ status })]);
        seen.add(id);
      }
      const stored = await host.rows<{ event_id: string }>('SELECT event_id FROM livekit_events');
      const ids = new Set(stored.map(({ event_id }) => event_id));
      expect([...seen].filter((id) => !ids.has(id))).toEqual([]);
    });
  });

  describe('changed on the way', () => {
    let host: Host;
    let connection: RawConnection;

    beforeAll(async () => {
      host = await bootHost(adapter, { webhooks: CAPTURE_KEY });
      connection = await RawConnection.open(host.url);
    });

    afterAll(async () => {
      connection.cut();
      await host.close();
    });

    const expectAllRefused = async (changed: Sent[]) => {
      for (const { headers, body } of changed) connection.head({ path: host.path, headers }).write(body);
      for (const _ of changed) {
        const { status, text } = await connection.answer();
        expect([status, text]).toEqual([401, '{"status":"unauthorized"}']);
      }
    };

    test.each(scenarios())(
      '%s is refused, wherever one byte of a body or a token is another',
      async (scenario) => {
        const random = seededRandom(scenario.length);
        for (const delivery of deliveries(scenario)) {
          host.clock.set(delivery.receivedAt);
          const sent = asSent(delivery);
          const { length } = sent.body;
          const tokenLength = tokenOf(sent).length;
          await expectAllRefused([
            ...[0, length - 1, random(length), random(length)].map((at) =>
              withByte(sent, at, (sent.body[at] as number) ^ (1 + random(255))),
            ),
            ...[0, tokenLength - 1, random(tokenLength), random(tokenLength)].map((at) =>
              withTokenCharacter(sent, at, otherCharacter(tokenOf(sent)[at], random)),
            ),
          ]);
        }
      },
    );

    test("a token's last character is refused in every spelling but its own", async () => {
      const [delivery] = deliveries('two-party-call') as [CapturedDelivery];
      host.clock.set(delivery.receivedAt);
      const sent = asSent(delivery);
      const last = tokenOf(sent).length - 1;
      const others = [...BASE64URL].filter((character) => character !== tokenOf(sent)[last]);
      await expectAllRefused(others.map((character) => withTokenCharacter(sent, last, character)));
    });

    test('nothing of all that was kept', async () => {
      expect(await host.rows('SELECT event_id FROM livekit_events')).toEqual([]);
      expect(await host.rows('SELECT sha256 FROM livekit_quarantine')).toEqual([]);
    });
  });
});

const asSent = ({ headers, body }: CapturedDelivery): Sent => ({
  headers: Object.fromEntries(headers),
  body: Buffer.from(body),
});

const tokenOf = ({ headers }: Sent): string => headers['Authorization'] ?? '';

const withByte = ({ headers, body }: Sent, at: number, byte: number): Sent => {
  const changed = Buffer.from(body);
  changed[at] = byte;
  return { headers, body: changed };
};

const withTokenCharacter = (sent: Sent, at: number, character: string): Sent => {
  const token = tokenOf(sent);
  const changed = token.slice(0, at) + character + token.slice(at + 1);
  return { ...sent, headers: { ...sent.headers, Authorization: changed } };
};

const otherCharacter = (character: string | undefined, random: (below: number) => number): string => {
  const others = [...BASE64URL].filter((other) => other !== character);
  return others[random(others.length)] as string;
};
