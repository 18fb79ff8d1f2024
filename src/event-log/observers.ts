import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';

/** The observers of something in this process: one that fails harms neither the caller nor the others. */
export class Observers<Observer> {
  private readonly logger = new Log('Observers');
  private readonly all = new Set<Observer>();

  /** @param what is observed, for the log. */
  constructor(private readonly what: string) {}

  /** Adds an observer; returns a function that removes it. */
  add(observer: Observer): () => void {
    this.all.add(observer);
    return () => this.all.delete(observer);
  }

  /** Notifies every observer. */
  tell(how: (observer: Observer) => void): void {
    for (const observer of this.all) {
      try {
        how(observer);
      } catch (error) {
        this.logger.error('an observer failed', { observed: this.what, ...errorFields(error) });
      }
    }
  }
}
