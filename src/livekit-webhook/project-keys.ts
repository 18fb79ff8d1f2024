import type { KeyObject } from 'node:crypto';
import type { WebhookSettings } from './settings.js';

/** The key that LiveKit's API is called with, and access tokens are signed with. */
export interface ProjectKey {
  apiKey: string;
  secret: KeyObject;
}

/** The key of each project by its name; `null` for a project that has secrets but no API key. */
export type ProjectKeys = ReadonlyMap<string, ProjectKey | null>;

/** The injection token of the projects' keys, for services that call LiveKit's API. */
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
