import { BadRequestException } from '@nestjs/common';
import { plainText } from '../database/plain-text.js';

/** Reads the query of a request; an empty value is one that is not given. */
export class QueryReader {
  constructor(private readonly query: Readonly<Record<string, unknown>>) {}

  /**
   * For what acts on all that a query means: with a condition left out that was only misspelt, it would act on more.
   *
   * @throws BadRequestException when it has another name than these.
   */
  only(...names: string[]): this {
    const stranger = Object.keys(this.query).find((name) => !names.includes(name));
    if (stranger === undefined) return this;
    throw new BadRequestException(`the query has \`${stranger}\`: only ${names.join(', ')} can stand there`);
  }

  /** A text, by its name, if it is given. @throws BadRequestException when it is given twice. */
  text<N extends string>(name: N): Partial<Record<N, string>> {
    const value = this.query[name];
    if (value === undefined || value === '') return {};
    if (typeof value !== 'string') {
      throw new BadRequestException(`\`${name}\` is given more than once: give it once`);
    }
    return { [name]: plainText(value) } as Record<N, string>;
  }

  /** One of some words. @throws BadRequestException when it is another. */
  oneOf<N extends string, V extends string>(name: N, words: readonly V[]): Partial<Record<N, V>> {
    const given = this.text(name);
    const value = given[name] as V | undefined;
    if (value === undefined || words.includes(value)) return given as Partial<Record<N, V>>;
    throw new BadRequestException(`\`${name}\` must be one of ${words.join(', ')}`);
  }

  /** A time in ISO 8601. @throws BadRequestException when it is none. */
  time<N extends string>(name: N): Partial<Record<N, Date>> {
    const value = this.text(name)[name] as string | undefined;
    if (value === undefined) return {};
    const time = new Date(value);
    if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(time.getTime())) {
      throw new BadRequestException(
        `\`${name}\` must be a time in ISO 8601, such as 2026-11-23T08:48:48.435Z`,
      );
    }
    return { [name]: time } as Record<N, Date>;
  }

  /** Yes or no. @throws BadRequestException when it is neither. */
  flag<N extends string>(name: N): Partial<Record<N, boolean>> {
    const value = this.oneOf(name, ['true', 'false'])[name] as string | undefined;
    return value === undefined ? {} : ({ [name]: value === 'true' } as Record<N, boolean>);
  }

  /** A whole number from 0. @throws BadRequestException when it is none. */
  whole<N extends string>(name: N): Partial<Record<N, number>> {
    const value = this.text(name)[name] as string | undefined;
    if (value === undefined) return {};
    if (/^\d{1,15}$/.test(value)) return { [name]: Number(value) } as Record<N, number>;
    throw new BadRequestException(`\`${name}\` must be a whole number`);
  }
}
