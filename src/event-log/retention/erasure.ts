import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '../../database/event-store.js';
import { plainText } from '../../database/plain-text.js';
import { Log } from '../../logging/log.js';
import { ErasureRun } from './erasure-run.js';
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
  project?: string | undefined;
}

/** An erasure was requested without saying of whom or what; the message names the cure. */
export class ErasureError extends Error {
  override readonly name = 'ErasureError';
}

/** How many times it tries to empty SQLite's log while somebody reads. */
const TRIES = 50;

/** Erases people and rooms from the store, so that they can't be identified any more; what they did still counts. */
@Injectable()
export class Erasure {
  private readonly logger = new Log('Erasure');
  private readonly parts: ErasurePart[] = [];

  constructor(private readonly store: EventStore) {}

  /**
   * Adds a part of the application that keeps data of its own to erase.
   *
   * @internal
   */
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
    const stored = project === undefined ? undefined : plainText(project);
    const subject = { kind, text, project: stored, pseudonym: newPseudonym() };
    // The log first: a handler that still gets an event after the sessions were erased would bring it back.
    const erased = await new ErasureRun(this.store, subject).run();
    let sessions = 0;
    for (const part of this.parts) sessions += await part.erase(subject);
    await this.emptyLog();
    return { ...erased, sessions };
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
