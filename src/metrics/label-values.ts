/** The value that stands for all values beyond a label's limit. */
const OTHER = 'other';

/** The most projects that have a label value of their own. */
export const MOST_PROJECTS = 100;

/** The most handlers that have a label value of their own. */
export const MOST_HANDLERS = 200;

/** The most dispositions that have a label value of their own: ours, and those that a host gives. */
export const MOST_DISPOSITIONS = 50;

/** Limits the values of a label: the first are kept as they are, and all later ones become `other`. */
export class LabelValues {
  private readonly known: Set<string>;

  /**
   * @param most how many there may be besides `other`.
   * @param known values that are kept first, so that every process keeps the same ones.
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

/** A label that allows these values only. */
export const onlyOf = (values: readonly string[]): LabelValues => new LabelValues(values.length, values);
