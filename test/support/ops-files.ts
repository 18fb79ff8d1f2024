import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** An alert, as in the file of rules. */
export interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** A file of rules, as Prometheus reads it. */
export interface Rules {
  groups: { name: string; rules: Alert[] }[];
}

/** A panel as Grafana reads it. */
export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { type: string; uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: { defaults: { unit?: string } };
  targets?: { refId: string; expr: string; datasource: { type: string; uid: string } }[];
}

/** A dashboard as Grafana reads it. */
export interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  templating: { list: { name: string; type: string; query: string | { query: string } }[] };
  panels: Panel[];
}

/** An expression, and where it is. */
export interface Placed {
  place: string;
  expr: string;
}

/** The alerts that we ship. */
export const rules = parse(readFileSync('ops/prometheus/alerts.yaml', 'utf8')) as Rules;

/** All of them. */
export const alerts: readonly Alert[] = rules.groups.flatMap((group) => group.rules);

/** The dashboards that we ship, by the name of their file. */
export const dashboards: ReadonlyMap<string, Dashboard> = new Map(
  readdirSync('ops/grafana').map((file) => [
    file,
    JSON.parse(readFileSync(`ops/grafana/${file}`, 'utf8')) as Dashboard,
  ]),
);

/** The expressions of all panels. */
export const panelExpressions: readonly Placed[] = [...dashboards].flatMap(([file, { panels }]) =>
  panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ place: `${file} ▸ ${title}`, expr })),
  ),
);

/** The expressions of all alerts. */
export const alertExpressions: readonly Placed[] = alerts.map(({ alert, expr }) => ({ place: alert, expr }));

/** The query that Grafana makes of an expression with variables, when every value is chosen. */
export const asAsked = (expr: string, window = '15s'): string =>
  expr
    .replaceAll('$__rate_interval', window)
    .replaceAll('$__range', window)
    .replaceAll(/\$(?:project|handler)/g, '.*');

/** A metric that an expression names, and the labels that it names with it. */
export interface Named {
  metric: string;
  labels: string[];
}

/** The metrics that an expression names, with the labels in their braces. */
export const namedIn = (expr: string): Named[] =>
  [...expr.matchAll(/\b(livekit_\w+|ALERTS|up)\b(?:\{(.*?)\})?/g)].map(([, metric = '', braces = '']) => ({
    metric,
    labels: [...braces.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label),
  }));

/** The labels by which an expression groups and matches. */
export const groupedIn = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:by|on|without|ignoring|group_left|group_right) \(([^)]*)\)/g)].flatMap(
    ([, list = '']) => list.split(',').flatMap((label) => label.trim() || []),
  );
