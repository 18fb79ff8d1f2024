import { readFileSync } from 'node:fs';
import {
  alertExpressions,
  alerts,
  asAsked,
  dashboards,
  groupedIn,
  namedIn,
  type Panel,
  panelExpressions,
} from '../../support/ops-files.js';

const operations = readFileSync('docs/operations.md', 'utf8');

/** What Prometheus puts on every series. */
const OF_A_TARGET = ['job', 'instance'];

/** What Prometheus tells by itself. */
const OF_PROMETHEUS: [string, string[]][] = [
  ['up', OF_A_TARGET],
  ['ALERTS', ['alertname', 'alertstate']],
];

/** The labels of every series that there is by its name, as the documentation tells. */
const series = new Map<string, string[]>([...documented(), ...OF_PROMETHEUS]);

const expressions = [
  ...alertExpressions,
  ...panelExpressions.map((one) => ({ ...one, expr: asAsked(one.expr) })),
];

describe('an expression', () => {
  test.each(expressions.map(({ place, expr }) => [place, expr]))(
    'of %s names only what there is',
    (_, expr) => {
      const named = namedIn(expr);
      expect(named).not.toEqual([]);
      expect(named.filter(({ metric }) => !series.has(metric))).toEqual([]);
      for (const { metric, labels } of named)
        expect(series.get(metric)).toEqual(expect.arrayContaining(labels));
      const all = named.flatMap(({ metric }) => series.get(metric) ?? []);
      expect([...all, ...OF_A_TARGET]).toEqual(expect.arrayContaining(groupedIn(expr)));
    },
  );
});

describe('the alerts', () => {
  const names = alerts.map(({ alert }) => alert);

  test('have names of their own', () => {
    expect(names.length).toBeGreaterThan(20);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^Livekit[A-Z]\w+$/);
  });

  test.each(alerts.map((one) => [one.alert, one] as const))(
    '%s says how bad it is, what is seen, and where to read',
    (name, one) => {
      expect(['critical', 'warning']).toContain(one.labels['severity']);
      const { summary = '', description = '', runbook_url: runbook } = one.annotations;
      expect(summary).not.toMatch(/\.$/);
      if (!one.expr.startsWith('absent')) expect(description).toMatch(/\{\{ \$(?:value|labels)\b/);
      expect(runbook).toBe(`docs/operations.md#${name.toLowerCase()}`);
      const labels = [...`${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)].map(
        ([, label = '']) => label,
      );
      const told = namedIn(one.expr).flatMap(({ metric }) => series.get(metric) ?? []);
      expect([...told, ...OF_A_TARGET]).toEqual(expect.arrayContaining(labels));
    },
  );

  test('have a section each with a symptom, a cause and an action; and no other has one', () => {
    const sections = [...operations.matchAll(/^### (Livekit\w+)\n(.*?)(?=^##|$(?![^]))/gms)];
    expect(sections.map(([, name]) => name).toSorted()).toEqual(names.toSorted());
    for (const [, , text = ''] of sections) {
      for (const part of [/\*\*Symptom\*\*/, /\*\*Cause\*\*/, /\*\*Action\*\*/]) expect(text).toMatch(part);
    }
  });

  test('are as bad as their section says', () => {
    for (const { alert, labels } of alerts) {
      const [, text = ''] = operations.split(`### ${alert}\n`);
      expect([alert, /\((critical|warning)\b/.exec(text)?.[1]]).toEqual([alert, labels['severity']]);
    }
  });
});

test('every reason of a failing signature has a line that says what to do', () => {
  const source = readFileSync('src/livekit-webhook/signatures/signature.ts', 'utf8');
  const [, list = ''] = /SIGNATURE_FAILURE_REASONS = \[(.*?)\]/s.exec(source) ?? [];
  const reasons = [...list.matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
  const table = /### Signature mismatch\n.*?(?=^###)/ms.exec(operations)?.[0] ?? '';
  const told = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason),
  );
  expect(told.toSorted()).toEqual(reasons.toSorted());
});

test('every metric is shown on some dashboard', () => {
  const shown = new Set(panelExpressions.flatMap(({ expr }) => namedIn(expr).map(({ metric }) => metric)));
  const hidden = [...documentedNames()].filter(
    (name) => !['', '_bucket', '_sum', '_count'].some((suffix) => shown.has(name + suffix)),
  );
  expect(hidden).toEqual([]);
});

describe.each([...dashboards])('the dashboard %s', (_, board) => {
  const drawn = board.panels.filter(({ type }) => type !== 'row');

  test('lets its Prometheus be chosen, and asks no other', () => {
    expect(board.schemaVersion).toBeGreaterThanOrEqual(39);
    expect(board.templating.list[0]).toMatchObject({
      name: 'datasource',
      type: 'datasource',
      query: 'prometheus',
    });
    const chosen = { type: 'prometheus', uid: '${datasource}' };
    for (const { datasource, targets = [] } of drawn) {
      expect([datasource, ...targets.map((target) => target.datasource)]).toEqual(
        Array.from({ length: targets.length + 1 }, () => chosen),
      );
    }
  });

  test('uses each of its variables, and no other', () => {
    const used = drawn.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name)),
    );
    const own = new Set(used.filter((name) => !name.startsWith('__')));
    const variables = board.templating.list.map(({ name }) => name);
    expect(['datasource', ...own].toSorted()).toEqual(variables.toSorted());
    for (const { type, query } of board.templating.list) {
      if (type !== 'query' || typeof query === 'string') continue;
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? [];
      expect(series.get(metric)).toContain(label);
    }
  });

  test('has panels that say what they are, and in which unit', () => {
    const ids = board.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, description = '', fieldConfig, targets = [] } of drawn) {
      expect(title).not.toBe('');
      expect([title, description]).toEqual([title, expect.stringMatching(/\.$/)]);
      expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.any(String)]);
      expect(targets).not.toEqual([]);
    }
  });

  test('lays no panel over another, nor over its edge', () => {
    for (const [n, { gridPos: a }] of board.panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      expect(board.panels.slice(n + 1).filter(({ gridPos: b }) => overlap(a, b))).toEqual([]);
    }
  });
});

test.each([...dashboards])(
  '%s has a picture in the documentation that shows its panels',
  (file, { panels }) => {
    const picture = `pictures/${file.replace('json', 'svg')}`;
    expect(operations).toContain(`](${picture})`);
    const svg = readFileSync(`docs/${picture}`, 'utf8');
    expect(svg.length).toBeLessThan(200 * 1024);
    expect(panels.filter(({ title }) => !svg.includes(`>${title}<`))).toEqual([]);
  },
);

test('the dashboards have ids of their own', () => {
  const uids = [...dashboards.values()].map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(3);
});

function documentedRows(): [name: string, type: string, labels: string[]][] {
  const text = readFileSync('docs/observability.md', 'utf8');
  return [...text.matchAll(/^\| `(livekit_\w+)` *\| (\w+) *\| (.*?) *\|/gm)].map(
    ([, name = '', type = '', labels = '']) => [
      name,
      type,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    ],
  );
}

function documentedNames(): string[] {
  return documentedRows().map(([name]) => name);
}

function documented(): [string, string[]][] {
  return documentedRows().flatMap(([name, type, labels]): [string, string[]][] =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, [...labels, 'le']],
          [`${name}_sum`, labels],
          [`${name}_count`, labels],
        ]
      : [[name, labels]],
  );
}

const overlap = (a: Panel['gridPos'], b: Panel['gridPos']): boolean =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
