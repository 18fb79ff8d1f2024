import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { DEFAULTS, IS_SECRET, LONGEST_STOP, VARIABLES, yaml, yamlDocuments } from './deploy-files.js';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  env_file?: string | string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  stop_grace_period?: string;
  profiles?: string[];
  ports?: string[];
  volumes?: string[];
  secrets?: string[];
  depends_on?: string[] | Record<string, { condition: string }>;
}

interface Compose {
  services: Record<string, Service>;
  volumes?: Record<string, null>;
  secrets?: Record<string, { environment: string }>;
}

const FILES = ['deploy/compose.yaml', 'deploy/compose.sqlite.yaml'];
/** What these files, and no application, are told by the environment. */
const OF_COMPOSE = new Set(['POSTGRES_PASSWORD', 'GRAFANA_ADMIN_PASSWORD', 'PUBLISH', 'TAG']);

const example = readFileSync('deploy/.env.example', 'utf8');
const exampleNames = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name ?? '');

// compose-spec/compose-spec at 170098b, Apache-2.0.
const schema = JSON.parse(readFileSync('test/unit/deploy/compose-spec.schema.json', 'utf8')) as object;
const isCompose = new Ajv({ strict: false, formats: { duration: true }, allErrors: true }).compile({
  ...schema,
  $schema: 'http://json-schema.org/draft-07/schema#',
});

const isOurs = ({ image }: Service): boolean => image.startsWith('nestjs-livekit-webhooks');

describe.each(FILES)('%s', (file) => {
  const text = readFileSync(file, 'utf8');
  const { services, volumes = {}, secrets = {} } = yaml<Compose>(file);
  const all = Object.entries(services);
  const ours = all.filter(([, service]) => isOurs(service));

  test('is what the specification calls a compose file', () => {
    isCompose(yaml(file));
    expect(isCompose.errors ?? []).toEqual([]);
  });

  test('names only what there is', () => {
    const named = all
      .flatMap(([, service]) => service.volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '');
    expect(new Set(named.filter((name) => !name.startsWith('.')))).toEqual(new Set(Object.keys(volumes)));
    const needed = all.flatMap(([, { depends_on: needs = [] }]) =>
      Array.isArray(needs) ? needs : Object.keys(needs),
    );
    expect(Object.keys(services)).toEqual(expect.arrayContaining(needed));
    expect(all.flatMap(([, service]) => service.secrets ?? [])).toEqual(Object.keys(secrets));
  });

  test('pins the major version of each image', () => {
    for (const [, { image }] of all.filter(([, service]) => !isOurs(service)))
      expect(image).toMatch(/:v?\d+/);
  });

  test('runs the application with no rights, on files that it can not change, and gives it time to stop', () => {
    expect(ours).not.toEqual([]);
    for (const [, service] of ours) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(parseInt(service.stop_grace_period ?? '0', 10) * 1000).toBeGreaterThan(LONGEST_STOP);
    }
  });

  test('tells the application only what it reads', () => {
    const told = ours.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(told.filter((name) => !VARIABLES.has(name))).toEqual([]);
  });

  test('has no value for what is secret, and refuses to start without one', () => {
    for (const [, name = '', rest = ''] of text.matchAll(/\$\{(\w+)([^}]*)\}/g)) {
      expect(exampleNames).toContain(name);
      if (IS_SECRET.test(name)) expect(rest).toMatch(/^:\?/);
    }
    for (const [, { environment = {} }] of all)
      for (const [name, value] of Object.entries(environment))
        if (IS_SECRET.test(name) || /:\/\/[^@]*:[^@]*@/.test(value)) expect(value).toMatch(/\$\{\w+:\?/);
    for (const { environment } of Object.values(secrets)) expect(text).toContain(`\${${environment}:?`);
  });

  test('publishes the port that the application listens on, to this machine only', () => {
    const published = all.flatMap(([, { ports = [] }]) => ports);
    expect(published).toContain(`\${PUBLISH:-127.0.0.1:8080}:${DEFAULTS.http.port}`);
    for (const port of published) expect(port).toContain('127.0.0.1:');
  });
});

describe('deploy/compose.yaml', () => {
  const { services } = yaml<Compose>('deploy/compose.yaml');

  test('starts the application once the schema has been brought up to date, and only what is asked for beside it', () => {
    const { migrate, app, worker } = services;
    expect(migrate?.command).toEqual(['node', 'dist/cli/livekit-webhooks.js', 'migrate']);
    expect(Object.keys(migrate?.environment ?? {})).toEqual(['DATABASE_URL']);
    expect(migrate?.env_file).toEqual([]);
    expect(migrate?.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    for (const service of [app, worker]) {
      expect(service?.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
      expect(service?.environment).toMatchObject({ DATABASE_MIGRATIONS: 'check' });
    }
    expect([app?.environment?.ROLE, worker?.environment?.ROLE]).toEqual(['${ROLE:-all}', 'worker']);
    const always = Object.entries(services).filter(([, { profiles }]) => profiles === undefined);
    expect(always.map(([name]) => name)).toEqual(['postgres', 'migrate', 'app']);
  });

  test('lets Prometheus ask every process, and Grafana ask Prometheus', () => {
    const { scrape_configs: jobs } = yaml<{ scrape_configs: unknown[] }>('deploy/prometheus/prometheus.yaml');
    expect(jobs).toMatchObject([
      {
        authorization: { credentials_file: '/run/secrets/metrics_token' },
        dns_sd_configs: [{ names: ['app', 'worker'], type: 'A', port: DEFAULTS.http.port }],
      },
    ]);
    const [grafana] = yamlDocuments('deploy/grafana/provisioning/datasources/prometheus.yaml');
    expect(grafana).toMatchObject({ datasources: [{ type: 'prometheus', url: 'http://prometheus:9090' }] });
    expect(services.prometheus?.secrets).toEqual(['metrics_token']);
  });

  test('gives Prometheus the alerts, and Grafana the dashboards', () => {
    const { rule_files: rules } = yaml<{ rule_files: string[] }>('deploy/prometheus/prometheus.yaml');
    expect(rules).toEqual(['alerts.yaml']);
    expect(services.prometheus?.volumes).toContain(
      '../ops/prometheus/alerts.yaml:/etc/prometheus/alerts.yaml:ro',
    );
    const [provided] = yamlDocuments('deploy/grafana/provisioning/dashboards/livekit-webhooks.yaml');
    expect(provided).toMatchObject({
      providers: [{ type: 'file', options: { path: '/etc/grafana/dashboards' } }],
    });
    expect(services.grafana?.volumes).toContain('../ops/grafana:/etc/grafana/dashboards:ro');
  });
});

test('deploy/.env.example names only variables that are read, and no secret', () => {
  expect(exampleNames.filter((name) => !VARIABLES.has(name) && !OF_COMPOSE.has(name))).toEqual([]);
  for (const [, name = '', value] of example.matchAll(/^#?([A-Z_]+)=(.*)$/gm))
    if (IS_SECRET.test(name)) expect(`${name}=${value}`).toBe(`${name}=`);
});
