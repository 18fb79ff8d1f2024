/**
 * What ends a run before its time: its timeout, or its lease. Most runs are over long before, and nobody looks at their
 * signal, which would take a sixth of what a delivery takes: it is made for whoever does.
 */
export class RunEnd {
  private controller: AbortController | undefined;
  private reason: Error | undefined;
  private abandon: (reason: Error) => void = () => undefined;

  /** Aborted when the run is ended. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** Ends it; the first reason counts. */
  end(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.controller?.abort(reason);
    this.abandon(reason);
  }

  /** Does `work`, unless it is ended; rejects when it is ended meanwhile, and leaves the work to itself. */
  unlessEnded(work: () => Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.reason !== undefined) return reject(this.reason);
      this.abandon = reject;
      work().then(() => resolve(), reject);
    });
  }
}
