import { readFileSync } from 'node:fs';
import { ERROR_FIELDS, LOG_FIELDS, LOG_LINES } from '../../../src/logging/log-lines.js';
import { SPAN_ATTRIBUTES } from '../../../src/tracing/span-attributes.js';
import { codes, rows } from './tables.js';

const observability = readFileSync('docs/observability.md', 'utf8');
const tracing = readFileSync('docs/tracing.md', 'utf8');

const section = (title: string): string =>
  observability.split(`### ${title}\n`)[1]?.split(/^#{2,3} /m)[0] ?? '';

describe('the documentation of logs', () => {
  test('has every line, with its levels and fields, and no other', () => {
    const told = rows(section('Every line'), 5).map(([context, message, levels, fields = '']) => ({
      context: codes(context)[0],
      message: codes(message)[0],
      levels: codes(levels),
      fields: [...codes(fields), ...(fields.includes('the error') ? ERROR_FIELDS : [])],
    }));
    const written = Object.entries(LOG_LINES).flatMap(([context, lines]) =>
      Object.entries(lines).map(([message, { levels, fields }]) => ({ context, message, levels, fields })),
    );
    expect(told).toEqual(written);
  });

  test('has every field, in their order, and no other', () => {
    const told = rows(section('Every field'), 2).flatMap(([field]) => codes(field));
    expect(told.toSorted()).toEqual(Object.keys(LOG_FIELDS).toSorted());
  });

  test('has every attribute of a span, and no other', () => {
    const told = rows(tracing, 3)
      .filter(([, kind = '']) => /^(?:server|client|producer|consumer|internal)$/.test(kind))
      .flatMap(([, , attributes]) => codes(attributes));
    expect([...new Set([...told, 'error.type'])].toSorted()).toEqual([...SPAN_ATTRIBUTES].toSorted());
  });
});
