import { exponentialBackoff } from '../../event-log/backoff.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { type Ask, isNotFound, LivekitCallError } from './asking.js';
import type { KnownEgress } from './known-rooms.js';
import type { LivekitClient } from './livekit-clients.js';
import { type ToldEgress, toldEgress } from './told.js';

/** Egresses asked for by id in one round, at most. */
const IDS_IN_A_ROUND = 10;

/** The wait before asking again for an egress that is not known, and the longest one where none can be had, milliseconds. */
const RARELY = 10 * 60_000;

const backoff = exponentialBackoff({ first: 15_000, longest: RARELY });

/** What LiveKit says about egresses. */
export interface EgressAnswer {
  egresses: ToldEgress[];
  /** Those of ours that LiveKit no longer knows: each is reported once. */
  lost: string[];
}

/** Asks one LiveKit for its egresses, as rarely as suffices. */
export class EgressInquiry {
  private readonly logger = new Log('Reconciliation');
  private notBefore = 0;
  private failures = 0;
  /** When each of ours that was not listed was asked for, and how often in a row LiveKit did not know it. */
  private readonly unlisted = new Map<string, { askedAt: number; unknown: number }>();

  constructor(private readonly client: LivekitClient) {}

  /**
   * Asks for the running egresses, and for those of ours that LiveKit does not list among them.
   *
   * @param running those of ours that have not ended.
   * @param at now, UTC milliseconds.
   */
  async ask(ask: Ask, running: readonly KnownEgress[], at: number): Promise<EgressAnswer> {
    const answer: EgressAnswer = { egresses: [], lost: [] };
    if (at < this.notBefore) return answer;
    try {
      const listed = (
        await ask('Egress/ListEgress', () => this.client.egress.listEgress({ active: true }))
      ).map(toldEgress);
      this.available();
      answer.egresses.push(...listed);
      const ids = new Set(listed.map(({ egressId }) => egressId));
      const ours = running.filter(({ egressId }) => !ids.has(egressId) && !egressId.startsWith('event:'));
      await this.askById(ask, ours, at, answer);
    } catch (error) {
      if (!(error instanceof LivekitCallError)) throw error;
      this.unavailable(error, at);
    }
    return answer; // with what came before a call failed: lost ones are not reported again
  }

  private async askById(
    ask: Ask,
    ours: readonly KnownEgress[],
    at: number,
    answer: EgressAnswer,
  ): Promise<void> {
    const ids = new Set(ours.map(({ egressId }) => egressId));
    for (const id of this.unlisted.keys()) if (!ids.has(id)) this.unlisted.delete(id);
    const due = [...ids]
      .filter((id) => this.isDue(id, at))
      .sort((a, b) => this.askedAt(a) - this.askedAt(b))
      .slice(0, IDS_IN_A_ROUND);
    for (const egressId of due) {
      const found = await this.one(ask, egressId);
      const before = this.unlisted.get(egressId)?.unknown ?? 0;
      const unknown = found === undefined ? before + 1 : 0;
      this.unlisted.set(egressId, { askedAt: at, unknown });
      if (found !== undefined) answer.egresses.push(found);
      if (unknown === 2) answer.lost.push(egressId);
    }
  }

  private askedAt(egressId: string): number {
    return this.unlisted.get(egressId)?.askedAt ?? -Infinity;
  }

  private isDue(egressId: string, at: number): boolean {
    const { askedAt, unknown } = this.unlisted.get(egressId) ?? { askedAt: -Infinity, unknown: 0 };
    return unknown < 2 || askedAt <= at - RARELY;
  }

  private async one(ask: Ask, egressId: string): Promise<ToldEgress | undefined> {
    try {
      const [egress] = await ask('Egress/ListEgress', () => this.client.egress.listEgress({ egressId }));
      return egress === undefined ? undefined : toldEgress(egress);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  private unavailable(error: LivekitCallError, at: number): void {
    this.failures += 1;
    this.notBefore = at + backoff(this.failures);
    if (this.failures > 1) return;
    const { project, host } = this.client;
    this.logger.warn('LiveKit tells nothing of egresses', {
      project,
      host,
      detail:
        'which is as it should be where there is no egress service: it is asked again, less and less often',
      ...errorFields(error),
    });
  }

  private available(): void {
    if (this.failures > 0) {
      const { project, host } = this.client;
      this.logger.log('LiveKit tells of egresses again', { project, host });
    }
    this.failures = 0;
  }
}
