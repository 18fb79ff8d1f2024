import {
  type Context,
  context,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type Span,
  trace,
} from '@opentelemetry/api';

/** A span's `traceparent`, as it is stored and sent (W3C Trace Context); `null` without tracing. */
export function traceparentOf(span: Span | undefined): string | null {
  const spanContext = span?.spanContext();
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return null;
  const { traceId, spanId, traceFlags } = spanContext;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** The same for the active span. */
export const activeTraceparent = (): string | null => traceparentOf(trace.getSpan(context.active()));

/** The trace header of a message sent now. */
export function traceHeaders(): { traceparent?: string } {
  const traceparent = activeTraceparent();
  return traceparent === null ? {} : { traceparent };
}

/** The id of a span's trace, for the log: 32 hex digits; undefined without tracing. */
export const traceIdOf = (traceparent: string | null | undefined): string | undefined =>
  traceparent?.slice(3, 35);

/** Whether a `traceparent` has the sampled flag: the trace can be viewed. */
export const isSampled = (traceparent: string | null | undefined): boolean =>
  traceparent?.endsWith('01') === true;

/** The id of the active trace, if it is sampled. */
export function sampledTraceId(): string | undefined {
  const traceparent = activeTraceparent();
  return isSampled(traceparent) ? traceIdOf(traceparent) : undefined;
}

/** The context of a span that has ended, perhaps elsewhere: spans started in it are its children. */
export function contextOf(traceparent: string | null): Context {
  const [, traceId = '', spanId = '', flags = ''] = traceparent?.split('-') ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

/** Runs work in the trace of a `traceparent`, or in none. */
export const inTraceOf = <T>(traceparent: string | null, work: () => T): T =>
  context.with(contextOf(traceparent), work);

/** Links to the spans of `traceparent`s; those without a span are left out. */
export const linksTo = (traceparents: readonly (string | null)[]): Link[] =>
  traceparents.flatMap((traceparent) => {
    const spanContext = trace.getSpanContext(contextOf(traceparent));
    return spanContext === undefined ? [] : [{ context: spanContext }];
  });
