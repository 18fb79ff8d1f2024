import type { Writable } from 'node:stream';

/** How much may wait for whoever reads the stream, characters or bytes: more would fill the memory. */
const MOST_WAITING = 16 * 1024 * 1024;

/**
 * Writes lines to a stream of the process, those of one turn of the event loop at once: under load, one write for many. Lines
 * that can't be written are dropped: a log that nobody reads, or whose disk is full, must not end the application.
 */
export class LineWriter {
  private waiting = '';

  constructor(private readonly stream: Pick<Writable, 'write' | 'writableLength' | 'on'>) {
    stream.on('error', () => undefined);
    process.once('exit', () => this.flush()); // standard streams are written synchronously, even now
  }

  /** @param isUrgent whether it is written now, because it must not be lost with the process. */
  write(line: string, isUrgent: boolean): void {
    if (this.waiting === '' && !isUrgent) setImmediate(() => this.flush());
    this.waiting += `${line}\n`;
    if (isUrgent) this.flush();
  }

  private flush(): void {
    const lines = this.waiting;
    this.waiting = '';
    if (lines !== '' && this.stream.writableLength < MOST_WAITING) this.stream.write(lines);
  }
}
