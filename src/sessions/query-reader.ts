import { plainText } from '../database/plain-text.js';
import { SessionRequestError } from './errors.js';
import { LARGEST_PAGE } from './session-queries.js';

/** Reads the query of a request; an empty value is one that is not given. */
export class QueryReader {
  constructor(private readonly query: Readonly<Record<string, unknown>>) {}

  /** A text, by its name, if it is given. @throws SessionRequestError when it is given twice. */
  text<N extends string>(name: N): Partial<Record<N, string>> {
    const value = this.query[name];
    if (value === undefined || value === '') return {};
    if (typeof value !== 'string') {
      throw new SessionRequestError(`\`${name}\` is given more than once: give it once`);
    }
    return { [name]: plainText(value) } as Record<N, string>;
  }

  /** One of some words. @throws SessionRequestError when it is another. */
  oneOf<N extends string, V extends string>(name: N, words: readonly V[]): Partial<Record<N, V>> {
    const given = this.text(name);
    const value = given[name] as V | undefined;
    if (value === undefined || words.includes(value)) return given as Partial<Record<N, V>>;
    throw new SessionRequestError(`\`${name}\` must be one of ${words.join(', ')}`);
  }

  /** A time in ISO 8601. @throws SessionRequestError when it is none. */
  time<N extends string>(name: N): Partial<Record<N, Date>> {
    const value = this.text(name)[name] as string | undefined;
    if (value === undefined) return {};
    const time = new Date(value);
    if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(time.getTime())) {
      throw new SessionRequestError(
        `\`${name}\` must be a time in ISO 8601, such as 2026-11-23T08:48:48.435Z`,
      );
    }
    return { [name]: time } as Record<N, Date>;
  }

  /** Yes or no. @throws SessionRequestError when it is neither. */
  flag<N extends string>(name: N): Partial<Record<N, boolean>> {
    const value = this.oneOf(name, ['true', 'false'])[name] as string | undefined;
    return value === undefined ? {} : ({ [name]: value === 'true' } as Record<N, boolean>);
  }

  /** How many to tell at once. @throws SessionRequestError when it is no such number. */
  limit(): number {
    const { limit: text = '50' } = this.text('limit');
    const limit = /^\d+$/.test(text) ? Number(text) : NaN;
    if (limit >= 1 && limit <= LARGEST_PAGE) return limit;
    throw new SessionRequestError(`\`limit\` must be a whole number from 1 to ${LARGEST_PAGE}`);
  }
}
