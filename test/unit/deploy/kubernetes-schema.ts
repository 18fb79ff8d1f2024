import { createRequire } from 'node:module';

/** What every object of Kubernetes has. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
}

type Models = Record<string, { prototype: { validate(this: unknown): void } }>;

/**
 * What is wrong with an object by Kubernetes' own OpenAPI schema, as `kubernetes-models` compiles it, fields that the schema
 * has not among it (an API server with strict validation refuses them, another drops them without a word).
 */
export function wrongWith(object: KubernetesObject): string[] {
  const models = createRequire(`${process.cwd()}/package.json`)(
    `kubernetes-models/${object.apiVersion}`,
  ) as Models;
  const model = models[object.kind];
  if (model === undefined) return [`there is no ${object.kind} in ${object.apiVersion}`];
  // What the validator never looks at is no field of the schema.
  const unread = new Set<string>();
  try {
    model.prototype.validate.call(watched(object, '', unread));
  } catch (error) {
    return [(error as Error).message];
  }
  return [...unread].map((path) => `${path} is no field of ${object.kind}`);
}

function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const pathOf = (key: string | symbol): string => `${path}/${String(key)}`;
  const copy: object = Array.isArray(value) ? [] : {};
  for (const [key, inner] of Object.entries(value)) {
    unread.add(pathOf(key));
    Object.assign(copy, { [key]: watched(inner, pathOf(key), unread) });
  }
  return new Proxy(copy, {
    get(target, key, receiver) {
      unread.delete(pathOf(key));
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
}
