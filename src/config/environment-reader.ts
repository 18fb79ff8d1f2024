import type { Parser } from './parsers.js';
import { WrongValue } from './units.js';

/** The environment can't be used; the message names every wrong variable, what is wrong, and the cure. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';

  constructor(readonly problems: readonly string[]) {
    super(`The environment can't be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** Reads variables, and collects what is wrong with them, so that everything is reported at once. */
export class EnvironmentReader {
  private readonly problems: string[] = [];
  private readonly known = new Set<string>();

  constructor(private readonly env: Readonly<Record<string, string | undefined>>) {}

  /** A variable's text; an empty variable counts as unset. */
  raw(name: string): string | undefined {
    return this.env[name] || undefined;
  }

  /** Whether a variable is set at all, even if empty. */
  isSet(name: string): boolean {
    return this.env[name] !== undefined;
  }

  /** A variable with a default. */
  read<T>(name: string, otherwise: string, parser: Parser<T>): T {
    return this.optional(name, parser) ?? parser(otherwise);
  }

  /** A variable that may be unset. */
  optional<T>(name: string, parser: Parser<T>): T | undefined {
    // The part before an @ may be credentials.
    return this.parse(name, parser, (value) => ` is ${JSON.stringify(value.replace(/^.*@/s, '…@'))}, and`);
  }

  /** The same for one whose value is never shown. */
  secret<T>(name: string, parser: Parser<T>): T | undefined {
    return this.parse(name, parser, () => '');
  }

  /** Records what is wrong with a variable. */
  problem(name: string, what: string): void {
    this.problems.push(`${name} ${what}`);
  }

  /** Records as a problem every set variable that begins with a prefix and that nothing has read: a misspelt one is not to be ignored. */
  requireKnown(prefix: string): void {
    const known = [...this.known].filter((name) => name.startsWith(prefix)).join(', ');
    for (const name of Object.keys(this.env)) {
      if (!name.startsWith(prefix) || this.known.has(name) || this.raw(name) === undefined) continue;
      this.problem(name, `is none that is known: there are ${known}`);
    }
  }

  /** @throws EnvironmentError when anything was wrong. */
  finish(): void {
    if (this.problems.length > 0) throw new EnvironmentError(this.problems);
  }

  private parse<T>(name: string, parser: Parser<T>, told: (value: string) => string): T | undefined {
    this.known.add(name);
    const value = this.raw(name);
    if (value === undefined) return undefined;
    try {
      return parser(value);
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      this.problems.push(`${name}${told(value)} ${error.message}`);
      return undefined;
    }
  }
}
