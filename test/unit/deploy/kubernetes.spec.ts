import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { Backlog } from '../../../src/event-log/deliveries/backlog.js';
import { PATIENCE } from '../../../src/health/event-store.health.js';
import { HealthController } from '../../../src/health/health.controller.js';
import { DeliveryMetrics } from '../../../src/metrics/delivery-metrics.js';
import { Instruments } from '../../../src/metrics/instruments.js';
import { DEFAULTS, IS_SECRET, LONGEST_STOP, VARIABLES, yaml, yamlDocuments } from './deploy-files.js';
import { type KubernetesObject, wrongWith } from './kubernetes-schema.js';

interface Probe {
  httpGet: { path: string; port: string };
  timeoutSeconds?: number;
}

interface Pod {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    enableServiceLinks: boolean;
    automountServiceAccountToken: boolean;
    terminationGracePeriodSeconds?: number;
    securityContext: object;
    containers: {
      image: string;
      command?: string[];
      env?: { name: string; value?: string; valueFrom?: object }[];
      envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
      ports?: { name: string; containerPort: number }[];
      startupProbe: Probe;
      livenessProbe: Probe;
      readinessProbe: Probe;
      lifecycle?: { preStop: { sleep: { seconds: number } } };
      securityContext: object;
    }[];
  };
}

interface Workload extends KubernetesObject {
  spec: { template: Pod; selector?: { matchLabels: Record<string, string> } };
}

interface Kustomization {
  resources: string[];
  images: { name: string; newName: string; newTag: string }[];
}

const FOLDER = 'deploy/kubernetes';
const NOT_OBJECTS = new Set([
  'kustomization.yaml',
  'migrate/kustomization.yaml',
  'prometheus-adapter.example.yaml',
]);
const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.yaml'),
);
const objects = files
  .filter((name) => !NOT_OBJECTS.has(name))
  .flatMap((name) => yamlDocuments<KubernetesObject>(join(FOLDER, name)));

const ofKind = <T = KubernetesObject>(kind: string): (KubernetesObject & T)[] =>
  objects.filter((object): object is KubernetesObject & T => object.kind === kind);
const deployments = ofKind<Workload>('Deployment');
const workloads = [...deployments, ...ofKind<Workload>('Job')];
const containerOf = ({ spec }: Workload) => spec.template.spec.containers[0]!;
const componentOf = ({ spec }: Workload) => spec.template.metadata.labels['app.kubernetes.io/component'];
const kustomization = yaml<Kustomization>(join(FOLDER, 'kustomization.yaml'));
const migration = yaml<Kustomization>(join(FOLDER, 'migrate/kustomization.yaml'));

describe('the Kubernetes manifests', () => {
  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
    '%s is what the schema of Kubernetes allows',
    (_, object) => {
      expect(wrongWith(object)).toEqual([]);
    },
  );

  test('are all applied, but for the examples', () => {
    const applied = [...kustomization.resources, ...migration.resources.map((name) => `migrate/${name}`)];
    const rest = files.filter((name) => !NOT_OBJECTS.has(name) && !name.endsWith('.example.yaml'));
    expect(applied.sort()).toEqual(rest.sort());
    expect(objects.map(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] ?? 'example')).toEqual(
      objects.map(({ kind }) => (kind === 'Secret' ? 'example' : 'livekit-webhooks')),
    );
  });

  test('run one and the same release', () => {
    expect(migration.images).toEqual(kustomization.images);
    const [image] = kustomization.images;
    expect(new Set(workloads.map((workload) => containerOf(workload).image))).toEqual(new Set([image?.name]));
    expect(image?.newTag).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('give nobody any rights, nor files to change', () => {
    for (const workload of workloads) {
      const { spec } = workload.spec.template;
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(containerOf(workload).securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('tell the application only what it reads, its role among it, and let the job see to the schema', () => {
    const [config] = ofKind<{ data: Record<string, string> }>('ConfigMap');
    const [secret] = ofKind<{ stringData: Record<string, string> }>('Secret');
    const env = workloads.flatMap((workload) => containerOf(workload).env ?? []).map(({ name }) => name);
    const told = [...Object.keys(config?.data ?? {}), ...Object.keys(secret?.stringData ?? {}), ...env];
    expect(told.filter((name) => !VARIABLES.has(name))).toEqual([]);
    expect(config?.data.DATABASE_MIGRATIONS).toBe('check');
    expect(Object.keys(config?.data ?? {}).filter((name) => IS_SECRET.test(name))).toEqual([]);
    for (const value of Object.values(secret?.stringData ?? {})) expect(value).toMatch(/<.+>/);
    for (const deployment of deployments)
      expect(containerOf(deployment).envFrom).toEqual([
        { configMapRef: { name: config?.metadata.name } },
        { secretRef: { name: secret?.metadata.name } },
      ]);
    expect(deployments.map((deployment) => [componentOf(deployment), containerOf(deployment).env])).toEqual([
      ['edge', [{ name: 'ROLE', value: 'edge' }]],
      ['worker', [{ name: 'ROLE', value: 'worker' }]],
    ]);
    expect(ofKind<Workload>('Job').map(containerOf)).toMatchObject([
      {
        command: ['node', 'dist/cli/livekit-webhooks.js', 'migrate'],
        env: [
          {
            name: 'DATABASE_URL',
            valueFrom: { secretKeyRef: { name: secret?.metadata.name, key: 'DATABASE_URL' } },
          },
        ],
      },
    ]);
  });

  test('ask for health where it is told, and wait longer for it than the store may take', () => {
    const { prototype } = HealthController;
    const [live, ready] = [prototype.live, prototype.ready].map((route) => {
      expect(Reflect.getMetadata(METHOD_METADATA, route)).toBe(RequestMethod.GET);
      return [HealthController, route].map((part) => `/${Reflect.getMetadata(PATH_METADATA, part)}`).join('');
    });
    for (const deployment of deployments) {
      const { startupProbe, livenessProbe, readinessProbe, ports } = containerOf(deployment);
      expect(ports).toEqual([{ name: 'http', containerPort: DEFAULTS.http.port }]);
      expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual(
        [live, live, ready].map((path) => ({ path, port: 'http' })),
      );
      expect((readinessProbe.timeoutSeconds ?? 1) * 1000).toBeGreaterThan(PATIENCE);
      expect(deployment.spec.template.metadata.annotations).toEqual({
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': String(DEFAULTS.http.port),
      });
    }
  });

  test('give the application the time it needs to stop, once nothing is sent to it any more', () => {
    const [edge, worker] = deployments.map((deployment) => containerOf(deployment).lifecycle);
    expect(edge?.preStop.sleep.seconds).toBeGreaterThan(0);
    expect(worker).toBeUndefined(); // nothing is sent to it
    for (const deployment of deployments) {
      const { terminationGracePeriodSeconds = 30 } = deployment.spec.template.spec;
      const { seconds = 0 } = containerOf(deployment).lifecycle?.preStop.sleep ?? {};
      expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(seconds * 1000 + LONGEST_STOP);
    }
  });

  test('select the pods that they mean', () => {
    const labels = new Map(deployments.map((one) => [componentOf(one), one.spec.template.metadata.labels]));
    for (const deployment of deployments)
      expect(deployment.spec.selector?.matchLabels).toEqual(labels.get(componentOf(deployment)));
    const both = [labels.get('edge'), labels.get('worker')];
    type Selecting = { spec: { selector: { matchLabels: object } } };
    expect(ofKind<Selecting>('PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels)).toEqual(
      both,
    );
    type Policy = { spec: { podSelector: { matchLabels: object } } };
    expect(ofKind<Policy>('NetworkPolicy').map(({ spec }) => spec.podSelector.matchLabels)).toEqual(both);
    const [service] = ofKind<{ spec: { selector: object; ports: object[] } }>('Service');
    expect(service?.spec).toMatchObject({
      selector: labels.get('edge'),
      ports: [{ name: 'http', targetPort: 'http' }],
    });
    const [ingress] = ofKind<{ spec: { rules: { http: { paths: object[] } }[] } }>('Ingress');
    expect(ingress?.spec.rules[0]?.http.paths).toEqual([
      {
        path: DEFAULTS.webhook.path,
        pathType: 'Exact',
        backend: { service: { name: service?.metadata.name, port: { name: 'http' } } },
      },
    ]);
  });

  test('make as many workers as the lag of deliveries asks for, and as many edges as their work', () => {
    type Autoscaler = { spec: { scaleTargetRef: object; metrics: object[]; minReplicas: number } };
    const [edge, worker] = ofKind<Autoscaler>('HorizontalPodAutoscaler');
    for (const [index, autoscaler] of [edge, worker].entries()) {
      const { apiVersion, kind, metadata } = deployments[index]!;
      expect(autoscaler?.spec.scaleTargetRef).toEqual({ apiVersion, kind, name: metadata.name });
      expect(autoscaler?.spec.minReplicas).toBeGreaterThan(1);
    }
    expect(edge?.spec.metrics).toMatchObject([{ type: 'Resource', resource: { name: 'cpu' } }]);
    const lag = 'livekit_delivery_lag_seconds';
    expect(worker?.spec.metrics).toMatchObject([{ type: 'External', external: { metric: { name: lag } } }]);
    const adapter = yaml<{ rules: { external: object[] } }>(join(FOLDER, 'prometheus-adapter.example.yaml'));
    expect(adapter.rules.external).toMatchObject([{ seriesQuery: lag }]);
    const registry = new Registry();
    const instruments = new Instruments(registry);
    new DeliveryMetrics(instruments, {} as Backlog).onModuleInit();
    instruments.onApplicationBootstrap();
    expect(registry.getSingleMetric(lag)).toBeDefined();
  });
});

test('what the schema of Kubernetes does not know is told', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a' },
    spec: { port: 1, ports: [{ port: 1 }] },
  };
  expect(wrongWith(object)).toEqual(['/spec/port is no field of Service']);
  expect(wrongWith({ ...object, kind: 'Servant' })).toEqual(['there is no Servant in v1']);
  expect(wrongWith({ ...object, spec: { ports: [{ port: 'http' }] } } as never)).toEqual([
    expect.stringContaining('must be integer'),
  ]);
});
