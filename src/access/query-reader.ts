import { BadRequestException } from '@nestjs/common';
import { plainText } from '../database/plain-text.js';

/** What ECMAScript's dates, too, take for ISO 8601: a day, or a moment. */
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** Reads the query of a request; an empty value counts as not given. */
export class QueryReader<Name extends string> {
  private readonly names: readonly string[];

  /**
   * @param names that the query may have: if a misspelt condition were ignored, it would match more.
   * @throws BadRequestException when it has another.
   */
  constructor(
    private readonly query: Readonly<Record<string, unknown>>,
    names: readonly Name[],
  ) {
    this.names = names;
    const stranger = Object.keys(query).find((name) => !this.names.includes(name));
    if (stranger === undefined) return;
    throw new BadRequestException(`the query has \`${stranger}\`: only ${names.join(', ')} can stand there`);
  }

  /**
   * For an action on everything that a query matches.
   *
   * @param body of the request (`SentBody`), which must have none.
   * @throws BadRequestException when a name has no value, or there are conditions in the body.
   */
  forAll(body: unknown): this {
    const empty = this.names.find((name) => this.query[name] === '');
    if (empty !== undefined)
      throw new BadRequestException(`\`${empty}\` has no value: give one, or leave it out`);
    if (body !== null && Object.keys(body ?? {}).length === 0) return this;
    throw new BadRequestException(`the request has a body: ${this.names.join(', ')} stand in the query`);
  }

  /** A text, by its name, if it is given. @throws BadRequestException when it is given more than once. */
  text<N extends Name>(name: N): Partial<Record<N, string>> {
    const value = this.query[name];
    if (value === undefined || value === '') return {};
    if (typeof value !== 'string') {
      throw new BadRequestException(`\`${name}\` is given more than once: give it once`);
    }
    return { [name]: plainText(value) } as Record<N, string>;
  }

  /** One of some words. @throws BadRequestException when it is another. */
  oneOf<N extends Name, V extends string>(name: N, words: readonly V[]): Partial<Record<N, V>> {
    const given = this.text(name);
    const value = given[name] as V | undefined;
    if (value === undefined || words.includes(value)) return given as Partial<Record<N, V>>;
    throw new BadRequestException(`\`${name}\` must be one of ${words.join(', ')}`);
  }

  /** A time in ISO 8601. @throws BadRequestException when it is not one. */
  time<N extends Name>(name: N): Partial<Record<N, Date>> {
    const value = this.text(name)[name] as string | undefined;
    if (value === undefined) return {};
    const time = new Date(value);
    if (!ISO_8601.test(value) || Number.isNaN(time.getTime())) {
      throw new BadRequestException(
        `\`${name}\` must be a time in ISO 8601, such as 2026-11-23T08:48:48.435Z`,
      );
    }
    return { [name]: time } as Record<N, Date>;
  }

  /** Yes or no. @throws BadRequestException when it is neither. */
  flag<N extends Name>(name: N): Partial<Record<N, boolean>> {
    const value = this.oneOf(name, ['true', 'false'])[name] as string | undefined;
    return value === undefined ? {} : ({ [name]: value === 'true' } as Record<N, boolean>);
  }

  /** A whole number from 0. @throws BadRequestException when it is not one. */
  whole<N extends Name>(name: N): Partial<Record<N, number>> {
    const value = this.text(name)[name] as string | undefined;
    if (value === undefined) return {};
    if (/^\d{1,15}$/.test(value)) return { [name]: Number(value) } as Record<N, number>;
    throw new BadRequestException(`\`${name}\` must be a whole number`);
  }
}
