import type { KeyObject } from 'node:crypto';
import type { WebhookSettings } from './settings.js';

/** What LiveKit is asked with, and access tokens are signed with. */
export interface ProjectKey {
  apiKey: string;
  secret: KeyObject;
}

/** The key of each project by its name; `null`: it has secrets only, and no API key to name them by. */
export type ProjectKeys = ReadonlyMap<string, ProjectKey | null>;

/** Where the keys of the projects are injected from, for whoever asks LiveKit. */
export const PROJECT_KEYS = Symbol.for('nestjs-livekit-webhooks:project-keys');

/** The first key of each project that has an API key. */
export function projectKeys({ keysByPath }: Pick<WebhookSettings, 'keysByPath'>): ProjectKeys {
  const keys = new Map<string, ProjectKey | null>();
  for (const { project, apiKey, secret } of [...keysByPath.values()].flat()) {
    if (keys.get(project)) continue;
    keys.set(project, apiKey === undefined ? null : { apiKey, secret });
  }
  return keys;
}
