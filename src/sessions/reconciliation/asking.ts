import { abandonable } from '../../database/abandonable.js';
import { errorCode } from '../../logging/error-code.js';
import { toldOf } from '../../logging/error-fields.js';
import { ToldError } from '../../logging/told-error.js';
import { inSpan, SpanKind, startSpan } from '../../tracing/spans.js';

/** LiveKit refused a call, or did not answer it. */
export class LivekitCallError extends ToldError {
  override readonly name = 'LivekitCallError';
  /** The HTTP status that it answered with; undefined when it did not answer. */
  readonly status: number | undefined;
  /** Why it could not be reached (`ECONNREFUSED`, …), where the network says. */
  readonly code: string | undefined;
  /** Whether it refused the times of our token: its clock and ours differ. */
  readonly isAboutTimes: boolean;

  // Without a cause: when LiveKit refuses a token, its message contains it.
  constructor(error: unknown) {
    super(whyFailed(error));
    this.status = statusOf(error);
    this.code = networkCodeOf(error);
    this.isAboutTimes = timesIn(error) !== undefined;
  }
}

/** Makes a call to LiveKit's API, by its name (`RoomService/ListRooms`); abandoned when the application stops. */
export interface Ask {
  <T>(what: `${string}/${string}`, call: () => Promise<T>): Promise<T>;
  readonly signal: AbortSignal;
}

/** An `Ask` that a signal ends. It rejects with the signal's reason then, and with a `LivekitCallError` when LiveKit fails. */
export function askUntil(signal: AbortSignal): Ask {
  const ask = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    const [service, method] = what.split('/');
    const attributes = { 'rpc.system': 'twirp', 'rpc.service': `livekit.${service}`, 'rpc.method': method };
    const span = startSpan(`livekit.${what}`, { kind: SpanKind.CLIENT, attributes });
    try {
      return await inSpan(span, () => abandonable(call, { signal }));
    } catch (error) {
      signal.throwIfAborted();
      throw new LivekitCallError(error);
    }
  };
  return Object.assign(ask, { signal });
}

/** Whether LiveKit says that it does not know what it was asked for. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof LivekitCallError && error.status === 404;

const statusOf = (error: unknown): number | undefined => (error as { status?: number } | null)?.status;

// Why `fetch` failed is only in the cause of its error.
function networkCodeOf(error: unknown): string | undefined {
  const { cause } = (error ?? {}) as { cause?: unknown };
  return typeof cause === 'object' && cause !== null ? errorCode(cause) : undefined;
}

/** Whether LiveKit did not answer in time: it may have done what it was asked to all the same. */
export const isTimeout = (error: unknown): boolean =>
  (error as { name?: unknown } | null)?.name === 'TimeoutError';

/** go-jose's words for a token whose times do not fit LiveKit's clock (`go-jose/go-jose jwt/errors.go`): no others are passed on. */
const ABOUT_TIMES = /\bexpired\b|not valid yet|issued in the future/i;

/** Why a call failed, in words without addresses and tokens, which may hold secrets. */
export function whyFailed(error: unknown): string {
  if (isTimeout(error)) return 'no answer in time';
  const status = statusOf(error);
  if (status === undefined) return toldOf(error);
  return [status, errorCode(error as object), timesIn(error)].filter((word) => word !== undefined).join(' ');
}

function timesIn(error: unknown): string | undefined {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? ABOUT_TIMES.exec(message)?.[0].toLowerCase() : undefined;
}

/** Does something with each item, `count` at a time, until `isOver`. */
export async function someAtATime<T>(
  items: readonly T[],
  count: number,
  isOver: () => boolean,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.toReversed();
  const next = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined && !isOver(); item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, next));
}
