// Draws what the queries of ops/grafana/*.json give on a Prometheus, one SVG a dashboard: the pictures of docs/operations.md.
// `node scripts/plot-dashboards.mjs http://127.0.0.1:9090 <from> <to> docs/pictures`, times in Unix seconds. `WINDOW` (15s) is the
// window of rates.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [prometheus, from, to, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: plot-dashboards.mjs <prometheus> <from> <to> <folder>');
const [begin, end] = [Number(from), Number(to)];
const window = process.env.WINDOW ?? '15s';
const POINTS = 150;
const step = (end - begin) / POINTS;

const WIDTH = 1200;
const COLUMN = WIDTH / 24;
const ROW = 26;
const GAP = 6;
const PALETTE = [
  '#73bf69',
  '#5794f2',
  '#f2cc0c',
  '#ff780a',
  '#f2495c',
  '#b877d9',
  '#8ab8ff',
  '#ffa6b0',
  '#c0d8ff',
  '#96d98d',
];
const COLOURS = { green: '#73bf69', orange: '#ff9830', red: '#f2495c', text: '#d8d9da' };

async function drawn({ title, panels }) {
  const height = Math.max(...panels.map(({ gridPos: { y, h } }) => (y + h) * ROW)) + 44;
  const parts = [];
  for (const panel of panels) parts.push(await drawPanel(panel));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Inter, Helvetica, Arial, sans-serif" font-size="11" fill="#ccccdc">`,
    `<rect width="${WIDTH}" height="${height}" fill="#111217"/>`,
    text(12, 26, title, 'font-size="17" font-weight="600"'),
    `<g transform="translate(0 38)">`,
    ...parts,
    '</g></svg>\n',
  ].join('\n');
}

async function drawPanel(panel) {
  const { x, y, w, h } = panel.gridPos;
  const box = { width: w * COLUMN - GAP, height: h * ROW - GAP };
  const inner = panel.type === 'row' ? rowOf(panel) : await bodyOf(panel, box);
  const frame = `<rect width="${box.width}" height="${box.height}" rx="2" fill="#181b1f" stroke="#25272d"/>`;
  return `<g transform="translate(${round(x * COLUMN + GAP / 2)} ${y * ROW + GAP / 2})">${panel.type === 'row' ? '' : frame}${inner}</g>`;
}

const rowOf = ({ title }) => text(6, 15, title, 'font-size="13" font-weight="600"');

async function bodyOf(panel, box) {
  const heading = text(8, 17, panel.title, 'font-size="12" font-weight="600"');
  if (panel.type === 'stat') return heading + stat(panel, await seriesOf(panel), box);
  if (panel.type === 'table') return heading + table(panel, await rowsOf(panel), box);
  return heading + graph(panel, await seriesOf(panel), box);
}

function stat({ fieldConfig: { defaults } }, [series], { width, height }) {
  const value = series?.points.at(-1)?.[1];
  const steps = defaults.thresholds.steps.filter(({ value: least }) => least === null || value >= least);
  const colour = COLOURS[steps.at(-1)?.color] ?? COLOURS.text;
  const shown = value === undefined ? 'No data' : inUnit(value, defaults.unit, defaults.decimals);
  const spark = series === undefined ? '' : sparkline(series.points, width, height, colour);
  return (
    spark +
    text(
      width / 2,
      height / 2 + 14,
      shown,
      `font-size="26" font-weight="600" text-anchor="middle" fill="${colour}"`,
    )
  );
}

function sparkline(points, width, height, colour) {
  const most = Math.max(...points.map(([, value]) => value), 1e-9);
  const at = ([time, value]) => [
    ((time - begin) / (end - begin)) * width,
    height - 2 - (value / most) * height * 0.28,
  ];
  return path(points.map(at), `stroke="${colour}" stroke-opacity="0.5"`);
}

function table({ transformations: [{ options }] }, rows, { width }) {
  const columns = options.include.names.filter((name) => rows.some((row) => row[name] !== undefined));
  if (rows.length === 0) return text(width / 2, 80, 'No data', 'text-anchor="middle" fill="#8e8e99"');
  const at = (n) => 10 + (n * (width - 20)) / columns.length;
  const line = (cells, y, attributes) =>
    cells.map((cell, n) => text(at(n), y, cell ?? '', attributes)).join('');
  return (
    line(columns, 38, 'fill="#6e9fff"') +
    rows
      .slice(0, 6)
      .map((row, n) =>
        line(
          columns.map((name) => row[name]),
          57 + n * 18,
          '',
        ),
      )
      .join('')
  );
}

function graph({ fieldConfig: { defaults } }, all, { width, height }) {
  const { unit, custom, thresholds, max } = defaults;
  const shown = custom.stacking.mode === 'normal' ? stacked(all) : all;
  const limit = custom.thresholdsStyle && thresholds.steps.at(-1).value;
  const values = shown.flatMap(({ points }) => points.map(([, value]) => value));
  const least = Math.min(0, ...values);
  const greatest = Math.max(max ?? 0, ...values);
  const most = greatest > least ? greatest * (max ? 1 : 1.08) : least + 1;
  const legend = legendOf(all, width);
  const plot = { left: 54, top: 28, right: width - 12, bottom: height - 22 - legend.height };
  const at = ([time, value]) => [
    plot.left + ((time - begin) / (end - begin)) * (plot.right - plot.left),
    plot.bottom - ((value - least) / (most - least)) * (plot.bottom - plot.top),
  ];
  const grid = ticks(least, most).map((value) => {
    const [, y] = at([begin, value]);
    const label = text(
      plot.left - 6,
      y + 4,
      inUnit(value, unit),
      'text-anchor="end" font-size="10" fill="#8e8e99"',
    );
    return `<path d="M${plot.left} ${round(y)}H${round(plot.right)}" stroke="#2c2e35"/>${label}`;
  });
  const minutes = [0, 1, 2, 3, 4, 5].map((n) => {
    const time = begin + ((end - begin) * n) / 5;
    const label = `${Math.round((time - begin) / 6) / 10} min`;
    const anchor = n === 0 ? 'start' : n === 5 ? 'end' : 'middle';
    return text(
      at([time, 0])[0],
      plot.bottom + 14,
      label,
      `text-anchor="${anchor}" font-size="10" fill="#8e8e99"`,
    );
  });
  const lines = shown.map(({ points }, n) => {
    const colour = PALETTE[n % PALETTE.length];
    return segments(points)
      .map((some) => band(some, at, colour) + path(some.map(at), `stroke="${colour}" stroke-width="1.5"`))
      .join('');
  });
  const dashed =
    limit && limit <= most
      ? `<path d="M${plot.left} ${round(at([begin, limit])[1])}H${round(plot.right)}" stroke="#f2495c" stroke-dasharray="6 5"/>`
      : '';
  const none =
    all.length === 0
      ? text(width / 2, (plot.top + plot.bottom) / 2 + 4, 'No data', 'text-anchor="middle" fill="#8e8e99"')
      : '';
  return [
    ...grid,
    ...minutes,
    ...lines,
    dashed,
    none,
    `<g transform="translate(8 ${height - legend.height - 4})">${legend.svg}</g>`,
  ].join('');
}

function legendOf(all, width) {
  let [x, y] = [0, 12];
  const entries = all.slice(0, 12).map(({ name }, n) => {
    const length = name.length * 6 + 28;
    if (x > 0 && x + length > width - 16) [x, y] = [0, y + 15];
    const entry = `<rect x="${x}" y="${y - 6}" width="12" height="3" fill="${PALETTE[n % PALETTE.length]}"/>${text(x + 16, y, name, 'font-size="10"')}`;
    x += length;
    return entry;
  });
  return { svg: entries.join(''), height: y + 4 };
}

/** What a series of a stack adds to those below it. */
function band(points, at, colour) {
  if (points[0][2] === undefined) return '';
  const below = points.map(([time, , base]) => at([time, base])).toReversed();
  const outline = [...points.map(at), ...below].map((point) => point.map(round).join(' ')).join('L');
  return `<path d="M${outline}Z" fill="${colour}" fill-opacity="0.3"/>`;
}

// Where nothing was told there is a gap, as Grafana leaves one.
function segments(points) {
  const parts = [];
  for (const point of points) {
    const last = parts.at(-1);
    if (last !== undefined && point[0] - last.at(-1)[0] < step * 1.5) last.push(point);
    else parts.push([point]);
  }
  return parts;
}

function stacked(all) {
  const sums = new Map();
  return all.map(({ name, points }) => ({
    name,
    points: points.map(([time, value]) => {
      const sum = (sums.get(time) ?? 0) + value;
      sums.set(time, sum);
      return [time, sum, sum - value];
    }),
  }));
}

async function seriesOf({ targets }) {
  const answers = await Promise.all(
    targets.map(async ({ expr, legendFormat }) => {
      const { result } = await ask('query_range', { query: asked(expr), start: begin, end, step });
      return result.map(({ metric, values }) => ({
        name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ''),
        points: values
          .map(([time, value]) => [time, Number(value)])
          .filter(([, value]) => Number.isFinite(value)),
      }));
    }),
  );
  return answers.flat().filter(({ points }) => points.length > 0);
}

async function rowsOf({ targets: [{ expr }] }) {
  const { result } = await ask('query', { query: asked(expr), time: end });
  return result.map(({ metric }) => metric);
}

const asked = (expr) =>
  expr
    .replaceAll('$__rate_interval', window)
    .replaceAll('$__range', `${Math.round(end - begin)}s`)
    .replaceAll(/\$(?:project|handler)/g, '.*');

async function ask(what, parameters) {
  const response = await fetch(`${prometheus}/api/v1/${what}?${new URLSearchParams(parameters)}`);
  const { data, error } = await response.json();
  if (data === undefined) throw new Error(`${error}: ${parameters.query}`);
  return data;
}

function ticks(least, most) {
  const rough = (most - least) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((n) => n * power).find((candidate) => candidate >= rough);
  const first = Math.ceil(least / size) * size;
  return Array.from({ length: Math.floor((most - first) / size) + 1 }, (_, n) => first + n * size);
}

function inUnit(value, unit, decimals) {
  if (unit === 's') return ofSeconds(value);
  if (unit === 'percentunit') return `${figure(value * 100, decimals)} %`;
  if (unit === 'bytes') return value >= 1024 ? `${figure(value / 1024)} KiB` : `${figure(value)} B`;
  if (unit === 'reqps') return `${figure(value)} req/s`;
  return unit === 'ops' ? `${figure(value)}/s` : figure(value, decimals);
}

function ofSeconds(value) {
  if (value === 0) return '0 s';
  if (value < 1) return `${figure(value * 1000)} ms`;
  return value < 90 ? `${figure(value)} s` : `${figure(value / 60)} min`;
}

const figure = (value, decimals = Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 2) =>
  String(Number(value.toFixed(decimals)));

const round = (value) => Math.round(value * 10) / 10;

const path = (points, attributes) =>
  `<path d="M${points.map((point) => point.map(round).join(' ')).join('L')}" fill="none" ${attributes}/>`;

const text = (x, y, content, attributes = '') =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;

mkdirSync(folder, { recursive: true });
for (const file of readdirSync('ops/grafana')) {
  const board = JSON.parse(readFileSync(join('ops/grafana', file), 'utf8'));
  const svg = await drawn(board);
  writeFileSync(join(folder, file.replace(/json$/, 'svg')), svg);
  console.log(`${file}: ${Math.round(svg.length / 1024)} KB`);
}
