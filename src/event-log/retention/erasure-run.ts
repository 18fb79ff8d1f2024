import type { EntityManager } from 'typeorm';
import { lock } from '../../database/advisory-locks.js';
import type { EventStore } from '../../database/event-store.js';
import { plainText } from '../../database/plain-text.js';
import { giveWay } from '../in-steps.js';
import { EraseSteps, type SidOfProject, type Stretch } from './erase-steps.js';
import type { ErasedCounts, ErasedSubject } from './erasure.js';
import { holds, mentions } from './mentions.js';

/** Events erased in one transaction. */
const BATCH = 200;

/** One erasure from the log: it goes through the tables window by window, in short transactions. */
export class ErasureRun {
  private readonly steps: EraseSteps;
  private readonly counts = { bodies: 0, quarantined: 0, errors: 0, roomNames: 0 };

  constructor(
    private readonly store: EventStore,
    private readonly subject: ErasedSubject,
  ) {
    this.steps = new EraseSteps(store.dialect, subject.project);
  }

  /** Erases all that is in the log now. @returns how much that was. */
  async run(): Promise<Omit<ErasedCounts, 'sessions'>> {
    const { events, deliveries } = await this.store.read((manager) => this.steps.stretches(manager));
    if (this.subject.kind === 'room') await this.eraseRoom(events);
    await this.eraseMentions(events);
    await this.eraseQuarantined();
    await this.eraseErrors(deliveries);
    return this.counts;
  }

  private async eraseRoom(stretch: Stretch): Promise<void> {
    const { pseudonym } = this.subject;
    const room = plainText(this.subject.text);
    const sids = new Map<string, SidOfProject>();
    for (let { from } = stretch; from < stretch.to;) {
      const { found, last } = await this.store.read((manager) =>
        this.steps.eventsOfRoom(manager, room, from),
      );
      await this.eraseEvents(seqsOf(found), pseudonym);
      for (const { source, roomSid } of found)
        if (roomSid !== null) sids.set(`${source}/${roomSid}`, { source, roomSid });
      from = last;
      await giveWay();
    }
    // Some events carry only a room's sid.
    for (const sid of sids.values()) {
      for (let from: number | undefined = 0; from !== undefined;) {
        const after: number = from;
        const seqs = await this.store.read((manager) => this.steps.eventsOfSid(manager, sid, after));
        await this.eraseEvents(seqs, pseudonym);
        from = seqs.at(-1);
      }
    }
  }

  private async eraseMentions(stretch: Stretch): Promise<void> {
    const { text } = this.subject;
    for (let from: number | null = stretch.from; from !== null && from < stretch.to;) {
      const after: number = from;
      const { found, last } = await this.store.read((manager) => this.steps.bodies(manager, text, after));
      // An error's text may be only a part of a value.
      const mentioning = found.filter(({ kind, raw }) =>
        kind === 'delivery' ? holds(raw, text) : mentions(raw, text),
      );
      await this.eraseEvents(seqsOf(mentioning));
      from = last;
      await giveWay();
    }
  }

  private async eraseQuarantined(): Promise<void> {
    const { text } = this.subject;
    let from: { source: string; sha256: string } | null = { source: '', sha256: '' };
    while (from !== null) {
      const after: { source: string; sha256: string } = from;
      const { found, last } = await this.store.read((manager) =>
        this.steps.quarantined(manager, text, after),
      );
      const mentioning = found.filter(({ raw }) => mentions(raw, text));
      if (mentioning.length > 0)
        this.counts.quarantined += await this.write((manager) => this.steps.quarantine(manager, mentioning));
      from = last;
      await giveWay();
    }
  }

  private async eraseErrors(stretch: Stretch): Promise<void> {
    const text = plainText(this.subject.text);
    for (let { from } = stretch; from < stretch.to;) {
      const { found, last } = await this.store.read((manager) => this.steps.errorsWith(manager, text, from));
      if (found.length > 0)
        this.counts.errors += await this.write((manager) => this.steps.errors(manager, found));
      from = last;
      await giveWay();
    }
  }

  private async eraseEvents(seqs: readonly number[], pseudonym?: string): Promise<void> {
    for (let from = 0; from < seqs.length; from += BATCH) {
      const some = seqs.slice(from, from + BATCH);
      const erased = await this.write(async (manager) => ({
        ...(await this.steps.events(manager, some)),
        roomNames: pseudonym === undefined ? 0 : await this.steps.roomNames(manager, some, pseudonym),
      }));
      this.counts.bodies += erased.bodies;
      this.counts.errors += erased.errors;
      this.counts.roomNames += erased.roomNames;
    }
  }

  private async write<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const result = await this.store.write(async (manager) => {
      // Some deliveries may be pending, and a claim skips what is locked: those behind them would overtake them.
      await lock(manager, 'ordering');
      return work(manager);
    });
    await giveWay();
    return result;
  }
}

const seqsOf = (found: readonly { seq: number }[]): number[] => found.map(({ seq }) => seq);
