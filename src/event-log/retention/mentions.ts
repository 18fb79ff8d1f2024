/** An escaped character, or a quote: a JSON string is what stands between two quotes. */
const MARKS = /\\.|"/gs;

/** What makes a string a field's name. */
const COLON = /\s*:/y;

/**
 * Whether a body has exactly this text as a value, at any depth, also of JSON in a string, as metadata often is; of a body
 * that is not JSON, whether its bytes contain the text.
 */
export function mentions(body: Buffer, wanted: string): boolean {
  const json = body.toString('utf8');
  return hasValue(json, (value) => value === wanted) || (!isJson(json) && json.includes(wanted));
}

/** Whether any string value of a body contains this text, however it is escaped there. */
export const holds = (body: Buffer, wanted: string): boolean =>
  hasValue(body.toString('utf8'), (value) => value.includes(wanted));

// Searches the text and not what it parses to: of a field that occurs twice, the parser keeps the last.
function hasValue(json: string, isMeant: (value: string) => boolean): boolean {
  let start: number | undefined;
  for (const { 0: mark, index } of json.matchAll(MARKS)) {
    if (mark !== '"') continue;
    if (start === undefined) {
      start = index;
      continue;
    }
    const value = isName(json, index + 1) ? undefined : parsed(json.slice(start, index + 1));
    start = undefined;
    if (typeof value !== 'string') continue;
    if (isMeant(value) || (/^\s*[[{"]/.test(value) && isJson(value) && hasValue(value, isMeant))) return true;
  }
  return false;
}

function isName(json: string, end: number): boolean {
  COLON.lastIndex = end;
  return COLON.test(json);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const isJson = (text: string): boolean => parsed(text) !== undefined;
