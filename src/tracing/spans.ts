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

/** Whether it is an error, be it of another realm: Node's own are, where tests run in one of theirs. */
export const isError = (thrown: unknown): thrown is Error =>
  thrown instanceof Error || types.isNativeError(thrown);

/** Passes on to the SDK that the host has registered, and does nothing where there is none. */
const tracer = trace.getTracer('nestjs-livekit-webhooks');

/** What a span is told at its start. */
export interface SpanStart {
  /** `INTERNAL` by default. */
  kind?: SpanKind;
  attributes?: SpanAttributes;
  /** What it is a child of, the active span by default. */
  parent?: Context;
  links?: Link[];
}

/** Begins a span, which somebody must end. */
export const startSpan = (name: string, start: SpanStart = {}): Span =>
  tracer.startSpan(name, start, start.parent ?? context.active());

/** The context in which a span is the active one, and the parent of what is begun there. */
export const under = (span: Span): Context => trace.setSpan(context.active(), span);

/** Does something while a span is the active one; where nobody traces, there is none to be active. */
export const within = <T>(span: Span, work: () => T): T =>
  span.spanContext() === INVALID_SPAN_CONTEXT ? work() : context.with(under(span), work);

/** Does something while no span is active. */
export const outsideSpans = <T>(work: () => T): T => context.with(ROOT_CONTEXT, work);

/** Adds to a span. */
export const addToSpan = (span: Span, name: SpanAttribute, value: AttributeValue): void =>
  void span.setAttribute(name, value);

/** Ends a span. @param failure what kind of, if it has failed. */
export function endSpan(span: Span, failure?: string): void {
  if (failure !== undefined) {
    addToSpan(span, 'error.type', failure);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/**
 * All that a span may tell of what was thrown: its class. Its message may hold a secret, or somebody's name, and so may a
 * `name` that no class could have.
 */
export function failureOf(thrown: unknown): string {
  if (!isError(thrown)) return typeof thrown;
  return /^[A-Za-z_$][\w$]{0,99}$/.test(thrown.name) ? thrown.name : 'Error';
}

/** Does something while a span is the active one, and ends it. */
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
