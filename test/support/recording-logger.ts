import type { LoggerService } from '@nestjs/common';

/** A logger that keeps what is logged. */
export class RecordingLogger implements LoggerService {
  readonly lines: { level: string; message: unknown; rest: unknown[] }[] = [];

  readonly log = this.record('log');
  readonly warn = this.record('warn');
  readonly error = this.record('error');
  readonly fatal = this.record('fatal');
  readonly debug = this.record('debug');
  readonly verbose = this.record('verbose');

  /** The messages of one context, without their fields. */
  said(context: string): unknown[] {
    return this.of(context).map((message) => (message as { message?: unknown }).message ?? message);
  }

  /** The messages of one context, as they were logged. */
  of(context: string): unknown[] {
    return this.lines.filter(({ rest }) => rest.at(-1) === context).map(({ message }) => message);
  }

  /** Everything that was logged, as one text. */
  text(): string {
    return JSON.stringify(this.lines);
  }

  private record(level: string) {
    return (message: unknown, ...rest: unknown[]): void => void this.lines.push({ level, message, rest });
  }
}
