import { cpus } from 'node:os';
import type { Ratio, Row, Summary } from './rounds.js';

/** What a bench has found out. */
export interface Report {
  /** How it was measured. */
  method: string;
  rows: Row[];
  ratios?: Ratio[];
  /** What could not be measured here, and why. */
  leftOut?: string[];
}

/** How a bench is to be run. */
export interface Settings {
  /** Longer, for figures that lie less far apart. */
  long: boolean;
  /** As short as can be, to see that it runs; the figures mean nothing. */
  smoke: boolean;
}

/** One of the benchmarks. */
export interface Bench {
  name: string;
  title: string;
  run(settings: Settings): Promise<Report>;
}

/** What the figures were measured on. */
export const machine = () => ({ node: process.version, cpu: cpus()[0]?.model ?? '', cores: cpus().length });

/** How long the longest bar is. */
const BAR = 16;

/** Prints a report for people. */
export function print(title: string, { method, rows, ratios = [], leftOut = [] }: Report): void {
  console.log(`\n${title}\n${method}\n`);
  const width = Math.max(...rows.map(({ what }) => what.length)) + 2;
  for (const row of rows) {
    const texts = Object.entries(row.figures).map(([unit, summary]) => `${text(summary)} ${unit}`);
    console.log(`  ${row.what.padEnd(width)}${bar(row, rows)}  ${texts.join('   ')}`);
  }
  if (ratios.length > 0) console.log('');
  for (const { name, unit, times } of ratios) {
    const texts = Object.entries(times).map(([other, ratio]) => `${multiple(ratio)} × ${other}`);
    console.log(`  ${name}, ${unit}: ${texts.join(', ')}`);
  }
  for (const what of leftOut) console.log(`  left out: ${what}`);
}

/** The first figure of a row beside the greatest of its kind. */
function bar({ figures }: Row, rows: readonly Row[]): string {
  const [unit = ''] = Object.keys(figures);
  const all = rows.flatMap((row) => row.figures[unit]?.median ?? []);
  const share = Math.max(0, figures[unit]?.median ?? 0) / Math.max(...all, Number.MIN_VALUE);
  return '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '·');
}

function text({ median, min, max }: Summary): string {
  return min === max ? number(median) : `${number(median)} (${number(min)} – ${number(max)})`;
}

const number = (value: number): string => value.toFixed(Math.abs(value) < 100 ? 1 : 0).padStart(6);

const multiple = ({ median, min, max }: Summary): string =>
  `${median.toFixed(2)} (${min.toFixed(2)} – ${max.toFixed(2)})`;
