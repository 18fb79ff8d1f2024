import { isDate } from 'node:util/types';
import { exponentialBackoff } from '../backoff.js';
import { LONGEST_TIMEOUT } from '../clock.js';
import type { EventKind, LoggedEvent } from '../events.js';
import { HandlerDeclarationError } from './errors.js';
import type { Handler, HandlerDeclaration, HandlerOptions } from './handler.js';

/** The events of each kind that the host subscribes listeners and handlers to; a kind that is missing is not restricted. */
export type SubscribedEvents = ReadonlyMap<EventKind, ReadonlySet<string>>;

/** A provider's method, with its declarations. */
export interface DeclaredMethod {
  /** `Class.method`. */
  where: string;
  declarations: readonly HandlerDeclaration[];
  call: Handler['call'];
}

/** Builds the handlers that a method declares: one per name. @throws HandlerDeclarationError */
export function buildHandlers(
  { where, declarations, call }: DeclaredMethod,
  subscribed: SubscribedEvents,
): Handler[] {
  const nameOf = ({ options }: HandlerDeclaration) => options.name ?? where;
  return [...new Set(declarations.map(nameOf))].map((name) => {
    const some = declarations.filter((declaration) => nameOf(declaration) === name);
    checkName(where, name);
    const options = commonOptions(where, some);
    checkOptions(where, options);
    return {
      ...withDefaults(options),
      name,
      where,
      patterns: [...new Set(some.flatMap((declaration) => patternsOf(where, declaration, subscribed)))],
      internal: some.some(({ internal }) => internal === true),
      decode: decoderOf(some),
      call,
    };
  });
}

function checkName(where: string, name: string): void {
  if (/^[\w.:-]{1,200}$/.test(name)) return;
  throw new HandlerDeclarationError(
    where,
    "a handler's `name` is 1 to 200 letters, digits, `_`, `.`, `:` and `-`: its deliveries are filed under it",
  );
}

// Decorators of one name on a method make one handler, so their options must agree.
function commonOptions(where: string, declarations: readonly HandlerDeclaration[]): HandlerOptions {
  const options: Record<string, unknown> = {};
  for (const declaration of declarations) {
    for (const [option, value] of Object.entries(declaration.options)) {
      if (value === undefined) continue;
      if (option in options && options[option] !== value) {
        throw new HandlerDeclarationError(
          where,
          `two of its decorators say different things of \`${option}\`: write the options once, or give each decorator a \`name\``,
        );
      }
      options[option] = value;
    }
  }
  return options;
}

const KNOWN_OPTIONS: Record<keyof HandlerOptions, true> = {
  name: true,
  transactional: true,
  batch: true,
  ordering: true,
  onDeadLetter: true,
  concurrency: true,
  maxAttempts: true,
  backoff: true,
  timeout: true,
  lease: true,
  backfill: true,
  includeReconciled: true,
};

function checkOptions(where: string, options: HandlerOptions): void {
  const wrong = (option: string, cure: string): never => {
    throw new HandlerDeclarationError(where, `option \`${option}\` ${cure}`);
  };
  // The compiler accepts a misspelt option beside correct ones.
  const unknown = Object.keys(options).find((option) => !(option in KNOWN_OPTIONS));
  if (unknown !== undefined) wrong(unknown, `is none: there are ${Object.keys(KNOWN_OPTIONS).join(', ')}`);
  const limits = {
    batch: [1, 1_000],
    concurrency: [1, 1_000],
    maxAttempts: [1, 1_000_000],
    timeout: [1, LONGEST_TIMEOUT],
    lease: [1_000, LONGEST_TIMEOUT],
  } as const;
  for (const [option, [least, most]] of Object.entries(limits)) {
    const value = options[option as keyof typeof limits];
    if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) continue;
    wrong(option, `must be a whole number from ${least} to ${most}`);
  }
  const { backfill = false } = options;
  if (typeof backfill !== 'boolean' && !(isDate(backfill) && Number.isFinite(backfill.getTime()))) {
    wrong('backfill', 'must be true, false or a valid Date');
  }
  if (options.onDeadLetter === 'block' && options.ordering !== 'room') {
    wrong('onDeadLetter', "is 'block', which means nothing without `ordering: 'room'`");
  }
}

function withDefaults(options: HandlerOptions) {
  const { batch, backoff, backfill = false } = options;
  return {
    transactional: options.transactional ?? false,
    batch: batch ?? null,
    ordered: options.ordering === 'room',
    blocking: options.onDeadLetter === 'block',
    concurrency: options.concurrency ?? (batch === undefined ? 10 : 1),
    maxAttempts: options.maxAttempts ?? 20,
    backoff: typeof backoff === 'function' ? backoff : exponentialBackoff(backoff),
    timeout: options.timeout ?? 30_000,
    lease: options.lease ?? 60_000,
    backfillSince: backfill === false ? null : backfill === true ? 0 : backfill.getTime(),
  };
}

function patternsOf(
  where: string,
  { kind, names, options, unfiltered }: HandlerDeclaration,
  subscribed: SubscribedEvents,
): string[] {
  const heard = unfiltered ? undefined : subscribed.get(kind);
  const all = names.flatMap((name) => (name === '*' && heard !== undefined ? [...heard] : [name]));
  const shutOut = heard && all.find((name) => !heard.has(name));
  if (shutOut !== undefined) {
    throw new HandlerDeclarationError(
      where,
      `handles \`${shutOut}\`, which the option \`events\` of the module shuts out: add it there, or leave \`events\` unset`,
    );
  }
  const kinds = options.includeReconciled ? [kind, 'reconciled'] : [kind];
  return kinds.flatMap((each) => all.map((name) => `${each}:${name}`));
}

function decoderOf(declarations: readonly HandlerDeclaration[]): (event: LoggedEvent) => unknown {
  const byKind = new Map(declarations.map(({ kind, decode }) => [kind, decode]));
  const reconciled = declarations.find(({ options }) => options.includeReconciled);
  if (reconciled !== undefined) byKind.set('reconciled', reconciled.decode);
  return (event) => byKind.get(event.kind)?.(event);
}
