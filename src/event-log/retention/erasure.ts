import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { lock } from '../../database/advisory-locks.js';
import { EventStore } from '../../database/event-store.js';
import { Log } from '../../logging/log.js';
import { plainText } from '../../database/plain-text.js';
import { giveWay } from '../running/in-steps.js';
import { EraseSteps, type SidOfProject, type Stretch } from './erase-steps.js';
import { holds, mentions } from './mentions.js';
import { newPseudonym } from './pseudonym.js';

/** Whom or what to erase. */
export interface ErasedSubject {
  kind: 'identity' | 'room';
  /** The identity; the room's name or sid. */
  text: string;
  /** Only in this project; in all by default. */
  project: string | undefined;
  /** Replaces a name that rows are grouped by; a new one for every erasure. */
  pseudonym: string;
}

/** Erases from tables of its own whenever `Erasure` erases, in short transactions of its own. */
export interface ErasurePart {
  /** @returns how many rows it changed, reported as `sessions`. */
  erase(subject: ErasedSubject): Promise<number>;
}

/** How much was erased. */
export interface ErasedCounts {
  /** Events whose bytes are gone. */
  bodies: number;
  /** Bodies that were in quarantine. */
  quarantined: number;
  /** Texts of failed attempts. */
  errors: number;
  /** Events whose room has a pseudonym now. */
  roomNames: number;
  /** Connections, or rooms, that the sessions are made of. */
  sessions: number;
}

/** Where to erase. */
export interface ErasureOptions {
  /** Only in this project; in all by default. */
  project?: string;
}

/** An erasure was requested without saying of whom or what; the message names the cure. */
export class ErasureError extends Error {
  override readonly name = 'ErasureError';
}

/** How many times it tries to empty SQLite's log while somebody reads. */
const TRIES = 50;

/** Events erased in one transaction. */
const BATCH = 200;

/** Erases people and rooms from the store, so that they can't be identified any more; what they did still counts. */
@Injectable()
export class Erasure {
  private readonly logger = new Log('Erasure');
  private readonly parts: ErasurePart[] = [];

  constructor(private readonly store: EventStore) {}

  /** Adds a part of the application that keeps data of its own to erase. */
  register(part: ErasurePart): void {
    this.parts.push(part);
  }

  /**
   * Erases an identity: the bytes of every event that has it as a value anywhere in its JSON, likewise bodies in quarantine,
   * error texts, and its traces in sessions, where a pseudonym replaces it. Events keep their id, time and hash, so that
   * repeats are still recognised; durations and counts stay what they were.
   *
   * What is stored later brings it back: call it when the identity is gone from LiveKit, and again if a webhook or a handler
   * was in progress meanwhile. Events that handlers have not been given yet are discarded.
   *
   * @throws ErasureError when the identity is empty.
   */
  eraseIdentity(identity: string, options: ErasureOptions = {}): Promise<ErasedCounts> {
    return this.erase('identity', identity, options);
  }

  /**
   * Erases a room by its name or its sid: the bytes of its events and of every event that has the name as a value, and its
   * name and description in events and sessions, where a pseudonym replaces it. The people in it stay: erase them by their
   * identities. As with identities, what is stored later brings it back.
   *
   * @throws ErasureError when the room is empty.
   */
  eraseRoom(room: string, options: ErasureOptions = {}): Promise<ErasedCounts> {
    return this.erase('room', room, options);
  }

  private async erase(
    kind: ErasedSubject['kind'],
    text: string,
    { project }: ErasureOptions,
  ): Promise<ErasedCounts> {
    if (typeof text !== 'string' || text === '')
      throw new ErasureError(
        `there is no ${kind} to erase: give its ${kind === 'room' ? 'name or sid' : 'text'}`,
      );
    const counts = { bodies: 0, quarantined: 0, errors: 0, roomNames: 0, sessions: 0 };
    const subject = { kind, text, project, pseudonym: newPseudonym() };
    const work = new EraseSteps(this.store.dialect, project);
    // The events first: a handler that still gets one after the sessions were erased would bring it back.
    const { events, deliveries } = await this.store.read((manager) => work.stretches(manager));
    if (kind === 'room') await this.eraseEventsOfRoom(work, subject, events, counts);
    await this.eraseMentions(work, text, events, counts);
    await this.eraseQuarantined(work, text, counts);
    await this.eraseErrors(work, text, deliveries, counts);
    for (const part of this.parts) counts.sessions += await part.erase(subject);
    await this.emptyLog();
    return counts;
  }

  private async eraseMentions(
    work: EraseSteps,
    text: string,
    stretch: Stretch,
    counts: ErasedCounts,
  ): Promise<void> {
    for (let from: number | null = stretch.from; from !== null && from < stretch.to;) {
      const after: number = from;
      const { found, last } = await this.store.read((manager) => work.bodies(manager, text, after));
      // An error's text may be only a part of a value.
      const mentioning = found.filter(({ kind, raw }) =>
        kind === 'delivery' ? holds(raw, text) : mentions(raw, text),
      );
      await this.eraseEvents(
        work,
        mentioning.map(({ seq }) => seq),
        counts,
      );
      from = last;
      await giveWay();
    }
  }

  private async eraseQuarantined(work: EraseSteps, text: string, counts: ErasedCounts): Promise<void> {
    let from: { source: string; sha256: string } | null = { source: '', sha256: '' };
    while (from !== null) {
      const after: { source: string; sha256: string } = from;
      const { found, last } = await this.store.read((manager) => work.quarantined(manager, text, after));
      const mentioning = found.filter(({ raw }) => mentions(raw, text));
      if (mentioning.length > 0)
        counts.quarantined += await this.write((manager) => work.quarantine(manager, mentioning));
      from = last;
      await giveWay();
    }
  }

  private async eraseErrors(
    work: EraseSteps,
    text: string,
    stretch: Stretch,
    counts: ErasedCounts,
  ): Promise<void> {
    for (let { from } = stretch; from < stretch.to;) {
      const { found, last } = await this.store.read((manager) =>
        work.errorsWith(manager, plainText(text), from),
      );
      if (found.length > 0) counts.errors += await this.write((manager) => work.errors(manager, found));
      from = last;
      await giveWay();
    }
  }

  private async eraseEventsOfRoom(
    work: EraseSteps,
    { text, pseudonym }: ErasedSubject,
    stretch: Stretch,
    counts: ErasedCounts,
  ): Promise<void> {
    const sids = new Map<string, SidOfProject>();
    for (let { from } = stretch; from < stretch.to;) {
      const { found, last } = await this.store.read((manager) =>
        work.eventsOfRoom(manager, plainText(text), from),
      );
      await this.eraseEvents(
        work,
        found.map(({ seq }) => seq),
        counts,
        pseudonym,
      );
      for (const { source, roomSid } of found)
        if (roomSid !== null) sids.set(`${source}/${roomSid}`, { source, roomSid });
      from = last;
      await giveWay();
    }
    // Some events carry only a room's sid.
    for (const sid of sids.values()) {
      for (let from: number | undefined = 0; from !== undefined;) {
        const after: number = from;
        const seqs = await this.store.read((manager) => work.eventsOfSid(manager, sid, after));
        await this.eraseEvents(work, seqs, counts, pseudonym);
        from = seqs.at(-1);
      }
    }
  }

  private async eraseEvents(
    work: EraseSteps,
    seqs: readonly number[],
    counts: ErasedCounts,
    pseudonym?: string,
  ): Promise<void> {
    for (let from = 0; from < seqs.length; from += BATCH) {
      const some = seqs.slice(from, from + BATCH);
      const erased = await this.write(async (manager) => ({
        ...(await work.events(manager, some)),
        roomNames: pseudonym === undefined ? 0 : await work.roomNames(manager, some, pseudonym),
      }));
      counts.bodies += erased.bodies;
      counts.errors += erased.errors;
      counts.roomNames += erased.roomNames;
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

  private async emptyLog(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      if (await this.store.emptyLogNow()) return;
      await delay(100);
    }
    this.logger.warn("what was erased may still be read in SQLite's write-ahead log", {
      detail:
        'somebody is reading it: it goes with its next checkpoint, at the latest when the application stops',
    });
  }
}
