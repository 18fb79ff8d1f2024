/**
 * What ends a run before its time: its timeout, or its lease. Most runs are over long before, and never read their signal,
 * which would take a sixth of the time of a delivery: it is created when it is read.
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

  /** Ends the run; the first reason counts. */
  end(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.controller?.abort(reason);
    this.abandon(reason);
  }

  /** Does `work`, unless the run is ended; rejects when it is ended meanwhile, and leaves the work to itself. */
  unlessEnded(work: () => Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.reason !== undefined) return reject(this.reason);
      this.abandon = reject;
      work().then(() => resolve(), reject);
    });
  }
}
