import {
  type AttributeValue,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { types } from 'node:util';
import type { SpanAttribute, SpanAttributes } from './span-attributes.js';

export { type Span, SpanKind };

/** Whether it is an error, even one of another realm: Node's own are, where tests run in a realm of theirs. */
export const isError = (thrown: unknown): thrown is Error =>
  thrown instanceof Error || types.isNativeError(thrown);

/** Delegates to the SDK that the host has registered; without one, it does nothing. */
const tracer = trace.getTracer('nestjs-livekit-webhooks');

/** The options of a span at its start. */
export interface SpanStart {
  /** `INTERNAL` by default. */
  kind?: SpanKind;
  attributes?: SpanAttributes;
  /** The context of its parent, by default that of the active span. */
  parent?: Context;
  links?: Link[];
}

/** Starts a span, which the caller must end. */
export const startSpan = (name: string, start: SpanStart = {}): Span =>
  tracer.startSpan(name, start, start.parent ?? context.active());

/** The context in which a span is active, and the parent of spans started there. */
export const under = (span: Span): Context => trace.setSpan(context.active(), span);

/** Runs work while a span is active; without tracing, no span is. */
export const within = <T>(span: Span, work: () => T): T =>
  span.spanContext() === INVALID_SPAN_CONTEXT ? work() : context.with(under(span), work);

/** Runs work while no span is active. */
export const outsideSpans = <T>(work: () => T): T => context.with(ROOT_CONTEXT, work);

/** Sets an attribute of a span. */
export const addToSpan = (span: Span, name: SpanAttribute, value: AttributeValue): void =>
  void span.setAttribute(name, value);

/** Ends a span. @param failure the kind of failure, if it has failed. */
export function endSpan(span: Span, failure?: string): void {
  if (failure !== undefined) {
    addToSpan(span, 'error.type', failure);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/**
 * All that a span may hold of what was thrown: its class. Its message may hold a secret, or somebody's name, and so may a
 * `name` that no class could have.
 */
export function failureOf(thrown: unknown): string {
  if (!isError(thrown)) return typeof thrown;
  return /^[A-Za-z_$][\w$]{0,99}$/.test(thrown.name) ? thrown.name : 'Error';
}

/** Runs work while a span is active, and ends the span. */
export async function inSpan<T>(span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    const result = await within(span, () => work(span));
    endSpan(span);
    return result;
  } catch (error) {
    endSpan(span, failureOf(error));
    throw error;
  }
}
