/** Writes lines to a stream of the process: all of one turn of the event loop at once, which under load is a write for many. */
export class LineWriter {
  private waiting = '';

  constructor(private readonly stream: { write(text: string): unknown }) {
    process.once('exit', () => this.flush()); // standard streams are written to at once, even now
  }

  /** @param isUrgent it is written now, and must not be lost with the process. */
  write(line: string, isUrgent: boolean): void {
    if (this.waiting === '' && !isUrgent) setImmediate(() => this.flush());
    this.waiting += `${line}\n`;
    if (isUrgent) this.flush();
  }

  private flush(): void {
    const lines = this.waiting;
    this.waiting = '';
    if (lines !== '') this.stream.write(lines);
  }
}
