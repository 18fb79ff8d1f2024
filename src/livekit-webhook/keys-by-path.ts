import { createSecretKey } from 'node:crypto';
import { LivekitWebhookOptionsError } from './errors.js';
import {
  DEFAULT_WEBHOOK_PATH,
  type LivekitKey,
  type LivekitProject,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
} from './livekit-webhook.options.js';
import type { SigningKey } from './signatures/signature.js';

// What stands in a URL as it is, and means nothing to the routers: encoded by the sender, other characters match no route.
const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~$&',;=@-]+)+$/;

/** Every path that webhooks are received on: the common ones, and the projects' own. */
export function mountedPaths(
  extras: LivekitWebhookModuleExtras & Pick<LivekitWebhookModuleOptions, 'projects'>,
): string[] {
  const projects = Array.isArray(extras.projects) ? extras.projects : []; // anything else is refused with the other options
  const common = extras.path;
  const own = projects.flatMap((project) => project?.path ?? []);
  const needsCommon = projects.length === 0 || own.length < projects.length;
  const paths = [common ?? (needsCommon ? DEFAULT_WEBHOOK_PATH : []), own].flat(2).map(normalizePath);
  for (const path of paths) {
    if (!PLAIN_PATH.test(path)) {
      throw new LivekitWebhookOptionsError(
        'path',
        `must be a plain path such as \`${DEFAULT_WEBHOOK_PATH}\``,
      );
    }
  }
  const mounted = [...new Set(paths)];
  requireDistinct(mounted);
  return mounted;
}

// Express would receive both on one of them, with the keys of that one: the other project's webhooks would be refused.
function requireDistinct(paths: readonly string[]): void {
  const known = new Map<string, string>();
  for (const path of paths) {
    const twin = known.get(path.toLowerCase());
    if (twin !== undefined) {
      throw new LivekitWebhookOptionsError(
        'path',
        `names \`${twin}\` and \`${path}\`, which Express takes for one: give paths that differ in more than upper and lower case`,
      );
    }
    known.set(path.toLowerCase(), path);
  }
}

const normalizePath = (path: string): string => `/${path}`.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');

/**
 * The keys to try on each mounted path: a project with a path of its own uses that one, and the others share all
 * remaining paths.
 *
 * @throws LivekitWebhookOptionsError naming the option and the cure.
 */
export function keysByPath(
  options: LivekitWebhookModuleOptions,
  mounted: readonly string[],
): ReadonlyMap<string, readonly SigningKey[]> {
  const projects = projectsOf(options);
  const own = new Set(projects.flatMap(({ path }) => (path == null ? [] : normalizePath(path))));
  const common = mounted.filter((path) => !own.has(path));
  const byPath = new Map<string, SigningKey[]>(mounted.map((path) => [path, []]));
  for (const project of projects) {
    const option = project.name === 'default' ? '' : `projects \`${project.name}\`: `;
    const keys = [project, ...(project.keys ?? [])].map((key) => signingKey(project.name, key, option));
    for (const path of project.path == null ? common : [normalizePath(project.path)]) {
      const others = byPath.get(path);
      if (others === undefined) {
        throw new LivekitWebhookOptionsError(
          `${option}path`,
          `is \`${path}\`, where nothing is mounted: give every path beside \`useFactory\` too, \`path: ['${mounted[0]}', '${path}']\``,
        );
      }
      others.push(...keys);
    }
  }
  for (const [path, keys] of byPath) {
    if (keys.length === 0) {
      throw new LivekitWebhookOptionsError(
        'path',
        `mounts \`${path}\`, which belongs to no project: give one that \`path\`, or take it away`,
      );
    }
    refuseAmbiguousKeys(path, keys);
  }
  if (common.length === 0 && projects.some(({ path }) => path == null)) {
    throw new LivekitWebhookOptionsError(
      'path',
      'leaves no path to the projects that have none of their own: name one more',
    );
  }
  return byPath;
}

function projectsOf(options: LivekitWebhookModuleOptions): LivekitProject[] {
  const { projects, apiKey, apiSecret, keys } = options;
  if (projects == null) {
    if (apiSecret === undefined && keys != null && keys.length > 0) {
      const [first, ...rest] = keys as [LivekitKey, ...LivekitKey[]];
      return [{ name: 'default', ...first, keys: rest }];
    }
    return [
      {
        name: 'default',
        ...(apiKey !== undefined && { apiKey }),
        apiSecret: apiSecret as string,
        keys: keys ?? [],
      },
    ];
  }
  if (apiKey != null || apiSecret != null || keys != null) {
    throw new LivekitWebhookOptionsError(
      'projects',
      'stands beside `apiKey`, `apiSecret` or `keys`: move those into it',
    );
  }
  if (projects.length === 0)
    throw new LivekitWebhookOptionsError('projects', 'is empty: name at least one project');
  const names = projects.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (typeof name !== 'string' || !/^[a-z0-9_-]{1,64}$/.test(name)) {
      throw new LivekitWebhookOptionsError(
        `projects[${index}].name`,
        'must be 1 to 64 of a-z, 0-9, `_` and `-`',
      );
    }
    if (names.indexOf(name) !== index) {
      throw new LivekitWebhookOptionsError(
        `projects[${index}].name`,
        `repeats \`${name}\`: give every project a name of its own`,
      );
    }
  }
  return projects;
}

function refuseAmbiguousKeys(path: string, keys: readonly SigningKey[]): void {
  for (const [index, key] of keys.entries()) {
    const twin = keys
      .slice(0, index)
      .find((other) => other.project !== key.project && other.secret.equals(key.secret));
    if (twin !== undefined) {
      throw new LivekitWebhookOptionsError(
        'projects',
        `\`${twin.project}\` and \`${key.project}\` share a secret on \`${path}\` and could not be told apart: give one of them a \`path\` of its own`,
      );
    }
  }
}

function signingKey(project: string, { apiKey, apiSecret }: LivekitKey, option: string): SigningKey {
  // An empty secret is worse than none: anybody can sign with it.
  if (typeof apiSecret !== 'string' || apiSecret.trim() === '') {
    throw new LivekitWebhookOptionsError(
      `${option}apiSecret`,
      'is missing or empty: give the secret of the API key that LiveKit signs its webhooks with',
    );
  }
  if (apiKey !== undefined && (typeof apiKey !== 'string' || apiKey.trim() === '')) {
    throw new LivekitWebhookOptionsError(
      `${option}apiKey`,
      'is empty: give the API key, or leave it out to accept any issuer',
    );
  }
  return { project, ...(apiKey !== undefined && { apiKey }), secret: createSecretKey(apiSecret, 'utf8') };
}
