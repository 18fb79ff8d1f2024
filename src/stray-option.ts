/** What to say where there are no options at all: the type of a factory forbids it, but a configuration service's `get` is often typed `any`. */
export const NO_OPTIONS: [option: string, problem: string] = [
  'useFactory',
  'gave no options: look at what it returns',
];

/** A given option that its module would ignore: its name, and what to do; undefined when there is none. */
export function strayOption(
  given: object | undefined,
  { known, beside }: { known: object; beside: object },
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
  return [
    option,
    `is none: there are ${names(known)}; and beside \`useFactory\` in \`forRootAsync\`: ${names(beside)}`,
  ];
}
