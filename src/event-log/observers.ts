import type { Logger } from '@nestjs/common';

/** Those who hear of something in this process: one that fails harms neither whoever tells of it nor the others. */
export class Observers<Observer> {
  private readonly all = new Set<Observer>();

  /** @param what is observed, for the log. */
  constructor(
    private readonly logger: Logger,
    private readonly what: string,
  ) {}

  /** Adds one; returns what takes it away again. */
  add(observer: Observer): () => void {
    this.all.add(observer);
    return () => this.all.delete(observer);
  }

  /** Tells each of them. */
  tell(how: (observer: Observer) => void): void {
    for (const observer of this.all) {
      try {
        how(observer);
      } catch (error) {
        this.logger.error(`an observer of ${this.what} failed`, error);
      }
    }
  }
}
