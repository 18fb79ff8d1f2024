/** What nobody would listen to of what a host tells a module: its name, and what to do; undefined: there is nothing. */
export function strayOption(
  given: object,
  { known, beside }: { known: object; beside: object },
): [option: string, problem: string] | undefined {
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
