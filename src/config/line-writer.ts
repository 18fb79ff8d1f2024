/** Writes lines to a stream of the process, those of one turn of the event loop at once: under load, one write for many. */
export class LineWriter {
  private waiting = '';

  constructor(private readonly stream: { write(text: string): unknown }) {
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
    if (lines !== '') this.stream.write(lines);
  }
}
