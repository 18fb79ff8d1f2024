import type { INestApplication } from '@nestjs/common';
import { hash } from 'node:crypto';
import { CLOCK, type Clock } from '../event-log/clock.js';
import { Deliveries } from '../event-log/deliveries/deliveries.js';
import type { SignatureScheme } from '../livekit-webhook/livekit-webhook.options.js';
import { RawBodyRoutes } from '../livekit-webhook/raw-body/raw-body.routes.js';
import { type CapturedCall, capturedCall, type CapturedDelivery } from './captured-calls.js';
import { WebhookTestingError } from './errors.js';
import { type SigningKey, signWebhook } from './sign-webhook.js';
import { TestClock } from './test-clock.js';
import { webhookBody, type WebhookFields } from './webhook-body.js';

/** The parts of a Nest application that are used here. */
export type TestedApplication = Pick<INestApplication, 'get' | 'listen' | 'getHttpServer' | 'getUrl'>;

/** The key and the path that a tester uses. */
export interface WebhookTesterOptions extends SigningKey {
  /** Where to send, with the global prefix; by default the first path that the module receives webhooks on. */
  path?: string | undefined;
}

/** How one webhook is sent. */
export interface DeliverOptions {
  /** `livekit` by default. */
  scheme?: SignatureScheme | undefined;
  /** Headers to replace or add; `null` leaves one out. */
  headers?: Record<string, string | null> | undefined;
  path?: string | undefined;
}

/** How a captured call is played. */
export interface PlayOptions {
  /** `recorded` by default; `shuffled` is the same in every run. */
  order?: 'recorded' | 'reversed' | 'shuffled' | undefined;
  /** How often each delivery is sent, once by default. */
  repeat?: number | undefined;
}

/** The answer to a webhook. */
export interface WebhookAnswer {
  status: number;
  /** The parsed JSON, or the text if it is not JSON. */
  body: unknown;
}

/**
 * Plays LiveKit to an application with `LivekitWebhookModule`: sends signed webhooks over HTTP, at the time of the
 * application's own clock, and runs the handlers that are due.
 */
export class WebhookTester {
  private readonly deliveries: Deliveries;
  private readonly time: Clock;
  private listening: Promise<unknown> | undefined;

  /**
   * @param app from `module.createNestApplication()`; it is made to listen when something is sent, unless it already does.
   * @param options the API key and secret that the module was given.
   * @throws WebhookTestingError when `app` is not an application, or has no `LivekitWebhookModule`.
   */
  constructor(
    private readonly app: TestedApplication,
    private readonly options: WebhookTesterOptions,
  ) {
    if (typeof app.listen !== 'function') {
      throw new WebhookTestingError(
        'WebhookTester was given what does not listen: give it the application, `module.createNestApplication()`',
      );
    }
    this.deliveries = ofModule(() => app.get(Deliveries));
    this.time = ofModule(() => app.get<Clock>(CLOCK));
  }

  /** The application's clock. @throws WebhookTestingError when it is not a `TestClock`. */
  get clock(): TestClock {
    if (this.time instanceof TestClock) return this.time;
    throw new WebhookTestingError(
      "the application goes by the machine's clock, which can't be set: add " +
        '`.overrideProvider(CLOCK).useValue(new TestClock())` to the testing module',
    );
  }

  /** Sends a webhook: a body as it is, or one that `webhookBody` makes of fields. Handlers run after the answer: see `drain`. */
  async deliver(
    webhook: string | Uint8Array | WebhookFields,
    how: DeliverOptions = {},
  ): Promise<WebhookAnswer> {
    const { scheme = 'livekit', headers, path } = how;
    const isBody = typeof webhook === 'string' || ArrayBuffer.isView(webhook);
    const body = isBody ? webhook : webhookBody(webhook, this.time);
    const signed = signWebhook(body, { ...this.options, now: this.time.now(), scheme });
    const url = await this.url(path);
    const response = await fetch(url, { method: 'POST', headers: changed(signed, headers), body });
    return { status: response.status, body: parsed(await response.text()) };
  }

  /**
   * Plays a captured call, by its name, or deliveries of one: each is signed afresh and sent at the next recorded time, and
   * everything due by then runs before the one after.
   *
   * @returns the answers, in the order they came.
   * @throws WebhookTestingError when one is not answered 200.
   */
  async play(
    call: string | CapturedCall | readonly CapturedDelivery[],
    { order = 'recorded', repeat = 1 }: PlayOptions = {},
  ): Promise<WebhookAnswer[]> {
    const recorded = deliveriesOf(call);
    const times = recorded.map(({ receivedAt }) => receivedAt).sort(); // time goes forward in every order
    const answers: WebhookAnswer[] = [];
    const { clock } = this;
    await this.drain(); // what still runs would lose its lease to the leap
    for (const [index, { body }] of ORDERS[order](recorded).entries()) {
      clock.set(times[index] as string);
      for (let time = 0; time < repeat; time += 1) {
        const answer = await this.deliver(body);
        if (answer.status !== 200) throw refused(index, answer);
        answers.push(answer);
      }
      await this.drain();
    }
    return answers;
  }

  /** Runs every handler that has something due at the clock's time; resolves when nothing is left and nothing runs. */
  async drain(): Promise<void> {
    await this.started(); // before that, nothing would ever run
    await this.deliveries.drain();
  }

  /** Advances the clock, once what is due has run, and runs what has fallen due then: retries, above all. */
  async advance(milliseconds: number): Promise<void> {
    const { clock } = this;
    await this.drain();
    clock.advance(milliseconds);
    await this.drain();
  }

  private async url(path: string | undefined): Promise<URL> {
    await this.started();
    return new URL(path ?? this.options.path ?? this.mountedPath(), await this.app.getUrl());
  }

  private async started(): Promise<void> {
    if (!this.app.getHttpServer().listening) await (this.listening ??= this.app.listen(0, '127.0.0.1'));
  }

  // Only the routes themselves know the host's global prefix.
  private mountedPath(): string {
    const [path] = this.app.get(RawBodyRoutes).urls;
    if (path !== undefined) return path;
    throw new WebhookTestingError(
      'the application receives webhooks nowhere: give WebhookTester the `path` that they are received on',
    );
  }
}

const ORDERS: Record<
  NonNullable<PlayOptions['order']>,
  (all: readonly CapturedDelivery[]) => readonly CapturedDelivery[]
> = {
  recorded: (all) => all,
  reversed: (all) => all.toReversed(),
  shuffled: (all) => all.toSorted((a, b) => digest(a).localeCompare(digest(b))),
};

const digest = ({ body }: CapturedDelivery): string => hash('sha256', body, 'hex');

function deliveriesOf(
  call: string | CapturedCall | readonly CapturedDelivery[],
): readonly CapturedDelivery[] {
  if (typeof call === 'string') return capturedCall(call).deliveries;
  return 'deliveries' in call ? call.deliveries : call;
}

function ofModule<T>(get: () => T): T {
  try {
    return get();
  } catch (cause) {
    throw new WebhookTestingError(
      'WebhookTester was given an application without LivekitWebhookModule: add `LivekitWebhookModule.forRoot({ … })` ' +
        "to the testing module's imports",
      { cause },
    );
  }
}

const CURES: Record<number, string> = {
  401: 'give WebhookTester the `apiKey` and `apiSecret` of the module',
  404: 'give WebhookTester the `path` that webhooks are received on, with the global prefix',
  503: "the application's log names the cause: its store, or a global guard",
};

const refused = (index: number, { status, body }: WebhookAnswer): WebhookTestingError =>
  new WebhookTestingError(
    `delivery ${index + 1} of the call was answered ${status} ${JSON.stringify(body)}: ${CURES[status] ?? "look at the application's log"}`,
  );

function changed(signed: object, changes: DeliverOptions['headers'] = {}): Headers {
  const headers = new Headers(Object.entries(signed) as [string, string][]);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return headers;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
