import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER } from '../../captures/folder.cjs'; // a sibling of both `src/` and `dist/`
import { WebhookTestingError } from './errors.js';

/** A webhook delivery of a real LiveKit server. */
export interface CapturedDelivery {
  /** ISO 8601, by the receiver's clock. */
  receivedAt: string;
  method: string;
  path: string;
  /** Pairs, as they were sent. */
  headers: [name: string, value: string][];
  /** The exact bytes, as UTF-8 text. */
  body: string;
  /** The receiver's status; `null` when it broke the connection without an answer. */
  answered: number | null;
}

/** What a calling client did, by its own clock. */
export interface TruthLine {
  /** ISO 8601. */
  at: string;
  /** `joined`, `left`, `published`, `deleteRoom`, … */
  what: string;
  room?: string;
  identity?: string;
  /** Of the participant that joined, or the room that was made. */
  sid?: string;
  track?: string;
}

/** A call that real clients made through a real LiveKit server (`captures/README.md`). */
export interface CapturedCall {
  name: string;
  /** In the order of arrival. */
  deliveries: CapturedDelivery[];
  /** What the clients did. */
  truth: TruthLine[];
}

/** The key that the captures were signed with, used nowhere else. */
export const CAPTURED_KEY = {
  apiKey: 'APIcapture',
  apiSecret: 'captured-calls-signing-secret-0123456789',
};

const TRUTH = '.truth.jsonl';

/** The names of the captured calls, in the order of their recording; `captures/README.md` describes each. */
export const capturedCalls = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(TRUTH))
    .map((file) => file.slice(0, -TRUTH.length))
    .map((name) => ({ name, began: deliveriesOf(name)[0]?.receivedAt ?? '' }))
    .sort((one, other) => (one.began < other.began ? -1 : 1))
    .map(({ name }) => name);

/** A captured call by its name. @throws WebhookTestingError when there is none with this name. */
export function capturedCall(name: string): CapturedCall {
  const names = capturedCalls();
  if (!names.includes(name)) {
    throw new WebhookTestingError(`there is no captured call \`${name}\`: there are ${names.join(', ')}`);
  }
  return { name, deliveries: deliveriesOf(name), truth: lines(name + TRUTH) };
}

const deliveriesOf = (name: string): CapturedDelivery[] => lines(`${name}.jsonl`);

const lines = <T>(file: string): T[] =>
  readFileSync(join(FOLDER, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
