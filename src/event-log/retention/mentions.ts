/** An escaped character, or a quote: a text of JSON is what stands between two quotes. */
const MARKS = /\\.|"/gs;

/** What makes a text a field's name. */
const COLON = /\s*:/y;

/**
 * Whether a body has exactly this text as a value, at any depth, also of JSON that is a text in JSON, as metadata often
 * is; one that is no JSON, whether its bytes hold it.
 */
export function mentions(body: Buffer, wanted: string): boolean {
  const json = body.toString('utf8');
  return hasValue(json, (value) => value === wanted) || (!isJson(json) && json.includes(wanted));
}

/** Whether any text of a body holds this one, however it is written there. */
export const holds = (body: Buffer, wanted: string): boolean =>
  hasValue(body.toString('utf8'), (value) => value.includes(wanted));

// Told from its text and not from what it parses to: of a field that stands twice, the parser keeps the last.
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
    if (isMeant(value) || (/^\s*[[{]/.test(value) && isJson(value) && hasValue(value, isMeant))) return true;
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
