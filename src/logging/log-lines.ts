/** The levels of log lines, from the least to the most urgent. */
export const LOG_LEVELS = ['debug', 'log', 'warn', 'error'] as const;

/** A level of a log line, by Nest's name. */
export type Level = (typeof LOG_LEVELS)[number];

/**
 * What a field may hold. `word`: one of a few words, or a configured value, without spaces; `name`: a name from outside,
 * truncated and without phone numbers; `text`: a sentence of ours; `number`: a number.
 */
export type FieldKind = 'word' | 'name' | 'text' | 'number';

/**
 * Every field that a log line may have. Nothing else is logged: no body, header, token, identity, attribute or
 * metadata has a field. `docs/observability.md` says what each one means.
 */
export const LOG_FIELDS = {
  outcome: 'word',
  event: 'name',
  id: 'name',
  room: 'name',
  roomSid: 'name',
  project: 'word',
  scheme: 'word',
  status: 'number',
  reason: 'word',
  detail: 'text',
  milliseconds: 'number',
  path: 'word',
  handler: 'word',
  delivery: 'number',
  attempt: 'number',
  replay: 'number',
  retryInMs: 'number',
  deliveries: 'text',
  count: 'number',
  counts: 'text',
  observed: 'text',
  engine: 'word',
  outlet: 'word',
  indicator: 'word',
  stream: 'word',
  subject: 'word',
  host: 'word',
  cause: 'word',
  errorType: 'word',
  errorCode: 'word',
  errorMessage: 'text',
  errorStack: 'text',
  traceId: 'word',
} as const satisfies Record<string, FieldKind>;

/** The name of a field. */
export type FieldName = keyof typeof LOG_FIELDS;

/** The fields that are logged of an error: see `errorFields`. */
export const ERROR_FIELDS = ['errorType', 'errorCode', 'errorMessage', 'errorStack'] as const;

const line = <const L extends Level, const F extends FieldName = never>(
  levels: readonly L[],
  fields: readonly F[] = [],
) => ({ levels, fields });

/** The levels and fields of every log line, by its context and its constant message. */
export const LOG_LINES = {
  LivekitWebhook: {
    webhook: line(
      ['log', 'warn', 'error'],
      ['outcome', 'event', 'id', 'room', 'project', 'scheme', 'status', 'reason', 'detail', 'milliseconds'],
    ),
    'LiveKit webhooks are received': line(['log'], ['path']),
    'a webhook was posted where nobody takes it, and is lost': line(['warn'], ['path']),
    'a webhook failed unexpectedly': line(['error'], ERROR_FIELDS),
  },
  DeliveryRunner: {
    delivery: line(
      ['debug', 'warn', 'error'],
      [
        'outcome',
        'handler',
        'delivery',
        'event',
        'id',
        'room',
        'project',
        'attempt',
        'replay',
        'retryInMs',
        ...ERROR_FIELDS,
      ],
    ),
    'leases were lost before deliveries were acknowledged: another run counts': line(
      ['warn'],
      ['deliveries'],
    ),
    'deliveries were still running when the application stopped: they are run again': line(
      ['warn'],
      ['count'],
    ),
    'deliveries were left running by a process that is gone: they are run again': line(['warn'], ['count']),
    'a handler is retired: no process has had it for a week, and it is given nothing any more': line(
      ['warn'],
      ['handler'],
    ),
    "notifications of PostgreSQL don't come through, and what other processes append is noticed late": line(
      ['warn'],
      ['detail'],
    ),
    "can't listen for notifications of PostgreSQL: polling until then": line(['warn'], ERROR_FIELDS),
    'the store failed a turn of deliveries; trying again': line(['error'], ERROR_FIELDS),
    'the store failed to say what is due; looking again': line(['error'], ERROR_FIELDS),
    'the store failed to say what the dead have left; looking again': line(['error'], ERROR_FIELDS),
    'the store failed to renew leases; trying again': line(['error'], ERROR_FIELDS),
    'the store failed to keep the handlers; trying again later': line(['error'], ERROR_FIELDS),
  },
  DeliveryEngine: {
    'the engine takes no deliveries: they wait in the store, and webhooks are stored as before': line(
      ['error'],
      ['engine', ...ERROR_FIELDS],
    ),
    'the engine carries deliveries again': line(['log'], ['engine']),
    'the engine did not stop as it should': line(['warn'], ['engine', ...ERROR_FIELDS]),
  },
  EventBus: {
    'a listener failed': line(['error'], ['event', 'id', ...ERROR_FIELDS]),
  },
  Observers: {
    'an observer failed': line(['error'], ['observed', ...ERROR_FIELDS]),
  },
  Timetable: {
    'the store failed work that is due; trying again': line(['error'], ERROR_FIELDS),
  },
  Retention: {
    pruned: line(['log'], ['counts']),
    'a transaction on the log has been open for long: pruning its events later': line(['warn']),
    'the store failed to prune; trying again later': line(['error'], ERROR_FIELDS),
  },
  Erasure: {
    "what was erased may still be read in SQLite's write-ahead log": line(['warn'], ['detail']),
  },
  Sessions: {
    'a session is unmatched': line(['warn'], ['room', 'roomSid', 'project', 'cause', 'detail']),
    'the option sessionId failed': line(['warn'], ['room', 'roomSid', 'project', ...ERROR_FIELDS]),
    'the option disposition failed: the rules say': line(
      ['warn'],
      ['room', 'roomSid', 'project', ...ERROR_FIELDS],
    ),
  },
  Reconciliation: {
    'a project is not reconciled with LiveKit; trying again, less and less often': line(
      ['warn'],
      ['project', 'host', 'cause', ...ERROR_FIELDS],
    ),
    'a project is reconciled with LiveKit again': line(['log'], ['project', 'host']),
    'LiveKit tells nothing of egresses': line(['warn'], ['project', 'host', 'detail', ...ERROR_FIELDS]),
    'LiveKit tells of egresses again': line(['log'], ['project', 'host']),
  },
  Outlets: {
    'an outlet is down, and what it has to publish waits': line(['warn'], ['outlet', ...ERROR_FIELDS]),
    'an outlet is up again': line(['log'], ['outlet']),
    'a stream of JetStream was made': line(['log'], ['stream', 'subject', 'detail']),
  },
  Health: {
    'a health indicator is down': line(['warn'], ['indicator', 'detail']),
    'a health indicator is up again': line(['log'], ['indicator']),
  },
  Metrics: {
    "a session event can't be counted": line(['error'], ['event', 'id', ...ERROR_FIELDS]),
  },
} as const;

/** The part of the software that logs a line. */
export type LogContext = keyof typeof LOG_LINES;

interface Line {
  levels: readonly Level[];
  fields: readonly FieldName[];
}

type LinesOf<C extends LogContext> = (typeof LOG_LINES)[C];

/** The messages that a context may log at a level. */
export type MessageOf<C extends LogContext, L extends Level> = {
  [M in keyof LinesOf<C>]: LinesOf<C>[M] extends { levels: readonly (infer A)[] }
    ? L extends A
      ? M
      : never
    : never;
}[keyof LinesOf<C>] &
  string;

/** What a field holds. */
export type FieldValue<F extends FieldName> = (typeof LOG_FIELDS)[F] extends 'number' ? number : string;

/** Fields with their values; unknown ones may be left out. */
export type FieldsNamed<F extends FieldName> = { [N in F]?: FieldValue<N> | null | undefined };

/** What a line may hold: its fields, and the id of its trace, unless that is the active one. */
export type FieldsOf<C extends LogContext, M extends keyof LinesOf<C>> = FieldsNamed<
  (LinesOf<C>[M] extends { fields: readonly (infer F extends FieldName)[] } ? F : never) | 'traceId'
>;

/** The fields that a line may have, in their order. */
export const fieldsOf = (context: LogContext, message: string): readonly FieldName[] =>
  (LOG_LINES[context] as Record<string, Line>)[message]?.fields ?? [];
