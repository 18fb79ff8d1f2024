import { Agent, request } from 'node:http';
import { mintToken } from '../support/signing.js';
import { until } from '../support/until.js';
import type { CallEvent } from './calls.js';

/** What came back for a webhook. */
export interface Answer {
  event: CallEvent;
  status: number;
  /** The word in its body. */
  word: string;
  retryAfter: string | undefined;
  /** When it was sent, and how long its answer took, milliseconds. */
  sentAt: number;
  took: number;
}

/** Sends webhooks as LiveKit does, and keeps book of the answers. */
export class Sender {
  readonly answers: Answer[] = [];
  /** Called with every answer. */
  onAnswer: (answer: Answer) => void = () => undefined;
  private readonly sent = new Map<string, CallEvent>();
  private readonly acked = new Map<string, CallEvent>();
  private agent = new Agent({ keepAlive: true });

  /** @param url where to send to: the application may have moved. */
  constructor(private readonly url: () => string) {}

  /** Every event that was ever sent. */
  get all(): CallEvent[] {
    return [...this.sent.values()];
  }

  /** The events answered 200. */
  get acknowledged(): CallEvent[] {
    return [...this.acked.values()];
  }

  /** The events that were sent and never answered 200. */
  get unacknowledged(): CallEvent[] {
    return this.all.filter((event) => !this.isAcknowledged(event));
  }

  isAcknowledged({ id }: CallEvent): boolean {
    return this.acked.has(id);
  }

  /** Sends events, so many at once; resolves when each was answered or its connection broke. */
  async sendAll(events: readonly CallEvent[], atOnce: number): Promise<void> {
    const queue = [...events];
    const work = async (): Promise<void> => {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) await this.send(event);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  /** Sends what was not answered 200, again and again until all of it is. */
  async sendWhatIsLeft(): Promise<void> {
    await until(
      'what was refused to be taken',
      async () => {
        await this.sendAll(this.unacknowledged, 8);
        return this.unacknowledged.length === 0;
      },
      60_000,
    );
  }

  /** Sends an event; resolves with its answer, or with nothing when the connection broke. */
  async send(event: CallEvent): Promise<Answer | undefined> {
    this.sent.set(event.id, event);
    const answer = await this.post(event).catch(() => undefined);
    if (answer === undefined) return undefined;
    if (answer.status === 200) this.acked.set(event.id, event);
    this.answers.push(answer);
    this.onAnswer(answer);
    return answer;
  }

  /** Lets go of the connections. */
  close(): void {
    this.agent.destroy();
    this.agent = new Agent({ keepAlive: true });
  }

  private post(event: CallEvent): Promise<Answer> {
    const sentAt = performance.now();
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/webhook+json',
        'content-length': event.body.length,
        authorization: mintToken(event.body, Date.now()),
      };
      const path = `${this.url()}/voice/livekit/webhooks`;
      const sending = request(path, { method: 'POST', agent: this.agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            event,
            status: response.statusCode ?? 0,
            word: (JSON.parse(Buffer.concat(chunks).toString()) as { status: string }).status,
            retryAfter: response.headers['retry-after'],
            sentAt,
            took: performance.now() - sentAt,
          }),
        );
      });
      sending.once('error', reject);
      sending.end(event.body);
    });
  }
}

/** A stream of webhooks that goes on until it is stopped, whatever the answers. */
export class Load {
  private readonly working: Promise<void>[];
  private stopped = false;

  constructor(
    private readonly sender: Sender,
    private readonly next: () => CallEvent,
    atOnce = 8,
  ) {
    this.working = Array.from({ length: atOnce }, () => this.work());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.working);
  }

  private async work(): Promise<void> {
    while (!this.stopped) {
      const answer = await this.sender.send(this.next());
      // Nothing is learned from thousands of refusals a second.
      if (answer?.status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
