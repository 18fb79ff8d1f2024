/** A given option that its module would ignore: its name, and what to do; undefined when there is none. */
export function strayOption(
  given: object | undefined,
  { known, beside }: { known: object; beside: object },
): [option: string, problem: string] | undefined {
  // The type of a factory forbids it, but a configuration service's `get` is often typed `any`.
  if (given == null) return ['useFactory', 'gave no options: look at what it returns'];
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
