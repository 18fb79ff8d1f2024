/** What stands for every value that a label may not have. */
export const OTHER = 'other';

/** The most projects that are told apart. */
export const MOST_PROJECTS = 100;

/** The most handlers that are told apart. */
export const MOST_HANDLERS = 200;

/** The most dispositions that are told apart: ours, and those that a host gives. */
export const MOST_DISPOSITIONS = 50;

/** Keeps a label from growing with what is told: the first values are themselves, and all that come later are `other`. */
export class LabelValues {
  private readonly known: Set<string>;

  /**
   * @param most how many there may be beside `other`.
   * @param known those that come first, so that every process tells the same ones apart.
   */
  constructor(
    private readonly most: number,
    known: Iterable<string> = [],
  ) {
    this.known = new Set([...known].slice(0, most));
  }

  /** The value itself, or `other`. */
  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.most) return OTHER;
    this.known.add(value);
    return value;
  }
}

/** A label that has no values but these. */
export const onlyOf = (values: readonly string[]): LabelValues => new LabelValues(values.length, values);
