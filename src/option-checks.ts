/**
 * The name of every option, for callers without a type checker: `true` for an option without parts, the names within one that
 * has parts, and in a list those within each of its entries.
 */
export type OptionNames<Options> = {
  readonly [Name in keyof Options]-?: true | NamesWithin<NonNullable<Options[Name]>>;
};

type NamesWithin<Option> = Option extends readonly (infer Entry)[]
  ? readonly [OptionNames<Entry>]
  : Option extends object
    ? OptionNames<Option>
    : never;

type Names = Readonly<Record<string, unknown>>;

/** Checks the options of a module; what can't work is refused with the module's error. */
export class OptionChecks {
  /** @param Refused the error, which names the option and the cure. */
  constructor(private readonly Refused: new (option: string, problem: string) => Error) {}

  /**
   * Requires that there are options, and none that the module would ignore.
   *
   * @param beside those that stand beside `useFactory`; without it, no options do.
   */
  known(given: object | undefined, names: object, beside: object = {}): void {
    // The type of a factory forbids it, but a configuration service's `get` is often typed `any`.
    if (given == null) throw new this.Refused('useFactory', 'gave no options: look at what it returns');
    const misplaced = Object.entries(given).find(
      ([name, value]) => value !== undefined && Object.hasOwn(beside, name),
    );
    if (misplaced !== undefined) {
      throw new this.Refused(
        misplaced[0],
        'must stand beside `useFactory`: it shapes routes, which are there before a factory runs',
      );
    }
    const others = listed(beside);
    const more = others === '' ? '' : `; and beside \`useFactory\` in \`forRootAsync\`: ${others}`;
    this.knownWithin(given, names as Names, '', more);
  }

  /** Requires a whole number within limits. @param or what else it may be. */
  whole(
    option: string,
    value: number,
    {
      least = 0,
      most = Number.MAX_SAFE_INTEGER,
      or = '',
    }: { least?: number; most?: number; or?: string } = {},
  ): number {
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new this.Refused(option, `must be a whole number ${range}${or}`);
  }

  /** Requires a list: a text would be taken for its letters. */
  list<Entry>(option: string, value: readonly Entry[]): readonly Entry[] {
    if (Array.isArray(value)) return value;
    throw new this.Refused(option, 'must be a list');
  }

  private knownWithin(given: object, names: Names, path: string, more = ''): void {
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue;
      const option = `${path}${name}`;
      if (!Object.hasOwn(names, name))
        throw new this.Refused(option, `is none: there are ${listed(names)}${more}`);
      const within = names[name];
      if (value === null || within === true) continue;
      if (Array.isArray(within)) {
        const entries = this.list(option, value as unknown[]);
        entries.forEach((entry, nth) => this.part(entry, within[0] as Names, `${option}[${nth}]`));
      } else this.part(value, within as Names, option);
    }
  }

  private part(given: unknown, names: Names, option: string): void {
    if (typeof given === 'object' && given !== null && !Array.isArray(given))
      this.knownWithin(given, names, `${option}.`);
    else throw new this.Refused(option, `must be an object with ${listed(names)}`);
  }
}

const listed = (options: object): string =>
  Object.keys(options)
    .map((name) => `\`${name}\``)
    .join(', ');
