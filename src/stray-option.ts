/** What to say where there are no options at all: the type of a factory forbids it, but a configuration service's `get` is often typed `any`. */
const NO_OPTIONS: [option: string, problem: string] = [
  'useFactory',
  'gave no options: look at what it returns',
];

/** The name of every option of a module, or of a part of its options, for callers without a type checker. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * A given option that its module would ignore: its name, and what to do; undefined when there is none.
 *
 * @param beside those that stand beside `useFactory`; without it, no options do.
 */
export function strayOption(
  given: object | undefined,
  { known, beside = {} }: { known: object; beside?: object },
): [option: string, problem: string] | undefined {
  if (given == null) return NO_OPTIONS;
  const [option] =
    Object.entries(given).find(([name, value]) => value !== undefined && !Object.hasOwn(known, name)) ?? [];
  if (option === undefined) return undefined;
  if (Object.hasOwn(beside, option)) {
    return [
      option,
      'must stand beside `useFactory`: it shapes routes, which are there before a factory runs',
    ];
  }
  const names = (options: object): string =>
    Object.keys(options)
      .map((name) => `\`${name}\``)
      .join(', ');
  const others =
    Object.keys(beside).length === 0
      ? ''
      : `; and beside \`useFactory\` in \`forRootAsync\`: ${names(beside)}`;
  return [option, `is none: there are ${names(known)}${others}`];
}

/** The same within the parts of options that are given, by the names of each: `retention.bodis`. */
export function strayWithin<Options extends object>(
  given: Options,
  parts: { readonly [Part in keyof Options]?: object },
): [option: string, problem: string] | undefined {
  for (const part of Object.keys(parts) as (keyof Options & string)[]) {
    const own = given[part] as object | null | undefined;
    const stray = own == null ? undefined : strayOption(own, { known: parts[part] as object });
    if (stray !== undefined) return [`${part}.${stray[0]}`, stray[1]];
  }
  return undefined;
}
