import type { LoggerService } from '@nestjs/common';

/** A logger that keeps what it is told. */
export class RecordingLogger implements LoggerService {
  readonly lines: { level: string; message: unknown; rest: unknown[] }[] = [];

  readonly log = this.record('log');
  readonly warn = this.record('warn');
  readonly error = this.record('error');
  readonly fatal = this.record('fatal');
  readonly debug = this.record('debug');
  readonly verbose = this.record('verbose');

  /** What was said in one context, in words. */
  said(context: string): unknown[] {
    return this.of(context).map((message) => (message as { message?: unknown }).message ?? message);
  }

  /** The messages of one context. */
  of(context: string): unknown[] {
    return this.lines.filter(({ rest }) => rest.at(-1) === context).map(({ message }) => message);
  }

  /** Everything that was said, as one text. */
  text(): string {
    return JSON.stringify(this.lines);
  }

  private record(level: string) {
    return (message: unknown, ...rest: unknown[]): void => void this.lines.push({ level, message, rest });
  }
}
