import { readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { readEnvironment } from '../../../src/config/environment.js';
import { resolveSettings } from '../../../src/livekit-webhook/settings.js';
import { TEST_KEY } from '../../support/signing.js';

/** What a YAML file holds, its anchors and merges resolved. */
export const yaml = <T>(file: string): T => parse(readFileSync(file, 'utf8'), { merge: true }) as T;

/** Every document that a YAML file holds. */
export const yamlDocuments = <T>(file: string): T[] =>
  parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as T;
  });

/** What the application is without a word in its environment. */
export const DEFAULTS = readEnvironment({ LIVEKIT_API_SECRET: 'secret' }, () => true, false);

/** The names of the variables that the application reads. */
export const VARIABLES: ReadonlySet<string> = variablesRead();

/** What names of variables hold secrets: in no file may they have a value. */
export const IS_SECRET = /SECRET|PASSWORD|TOKEN|KEYS?$/;

/**
 * How long it may take the application to stop once it is told to, milliseconds: runs end, and are given up a second later;
 * the last body arrives, and is stored or not within two; what is in hand is written before PostgreSQL's statements time out.
 */
export const LONGEST_STOP = longestStop();

function variablesRead(): Set<string> {
  const read = new Set<string>();
  for (const engine of ['database', 'bullmq', 'jetstream']) {
    const env: Record<string, string> = { LIVEKIT_API_SECRET: 'secret', DELIVERY_ENGINE: engine };
    const watched = new Proxy(env, {
      get: (target, name: string) => {
        read.add(name);
        return target[name];
      },
    });
    try {
      readEnvironment(watched, () => true, false);
    } catch {
      // what is wrong with it is of no interest
    }
  }
  return read;
}

function longestStop(): number {
  const { deliveries, bodyTimeout } = resolveSettings(TEST_KEY, [DEFAULTS.webhook.path]);
  const { drainTimeout = 0 } = deliveries;
  return drainTimeout + 1_000 + bodyTimeout + 2_000 + 5_000;
}
