import { failureOf, isError } from '../tracing/spans.js';
import { driverWords } from './driver-words.js';
import { errorCode } from './error-code.js';
import type { ERROR_FIELDS, FieldsNamed } from './log-lines.js';
import { isTold } from './told-error.js';

/** The most stack frames that are logged of an error. */
const MOST_FRAMES = 8;

/** A stack frame, as V8 writes it. */
const FRAME = /^\s+at (?:[\w$.<>#[\] ]+ \()?(?:file:\/\/|node:)?[\w$@.:/\\+~-]+:\d+:\d+\)?$/;

/**
 * All that may be logged of what was thrown, which may be anything: its class, its code, and its message if that is fit for
 * logs (`ToldError`, and messages of drivers without anybody's data). Any other message may hold a token, a number or
 * somebody's name: the stack frames are logged in its place.
 */
export function errorFields(thrown: unknown): FieldsNamed<(typeof ERROR_FIELDS)[number]> {
  try {
    if (!isError(thrown)) return { errorType: typeof thrown };
    const errorMessage = toldMessage(thrown);
    return {
      errorType: failureOf(thrown),
      errorCode: errorCode(thrown),
      errorMessage,
      errorStack: errorMessage === undefined ? framesOf(thrown) : undefined,
    };
  } catch {
    return { errorType: 'unreadable' }; // for example a getter that throws
  }
}

/** An error in a few words: its message if that is fit for logs, else its code or its class. */
export function toldOf(thrown: unknown): string {
  try {
    if (!isError(thrown)) return 'unknown';
    return toldMessage(thrown) ?? errorCode(thrown) ?? failureOf(thrown);
  } catch {
    return 'unknown';
  }
}

const toldMessage = (error: Error): string | undefined =>
  isTold(error) ? error.message : driverWords(error);

// The stack begins with the message, which may have lines that look like frames.
function framesOf({ message, stack }: Error): string | undefined {
  if (typeof stack !== 'string') return undefined;
  const at = stack.indexOf(message);
  const frames = stack
    .slice(at < 0 ? 0 : at + message.length)
    .split('\n')
    .filter((frame) => FRAME.test(frame))
    .slice(0, MOST_FRAMES);
  return frames.length === 0 ? undefined : frames.map((frame) => frame.trim()).join('\n');
}
