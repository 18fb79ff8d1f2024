import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A webhook delivery of a real LiveKit server, as `captures/README.md` tells. */
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

const FOLDER = join(process.cwd(), 'captures');
const DELIVERIES = '.jsonl';
const TRUTH = '.truth.jsonl';

/** The names of all captured scenarios. */
export const scenarios = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(TRUTH))
    .map((file) => file.slice(0, -TRUTH.length))
    .sort();

/** The deliveries of a scenario, in the order of arrival. */
export const deliveries = (scenario: string): CapturedDelivery[] => lines(scenario + DELIVERIES);

/** What the clients of a scenario did. */
export const truth = (scenario: string): TruthLine[] => lines(scenario + TRUTH);

const lines = <T>(file: string): T[] =>
  readFileSync(join(FOLDER, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
