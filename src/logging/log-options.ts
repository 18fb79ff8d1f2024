import type { LogLevel } from '@nestjs/common';
import { type Level, LOG_LEVELS } from './log-lines.js';

/** What is logged about webhooks and about deliveries to handlers, of which there are many. */
export interface LogOptions {
  /**
   * The least urgent level that is logged of them, `'log'` by default. `'debug'` adds successful attempts, `'warn'` leaves only
   * failures. The level of Nest's own logger applies as well.
   */
  level?: LogLevel | undefined;
  /**
   * The share of the lines about successes that is logged, 0 to 1, 1 by default. It is taken by room: all lines of a room or
   * none, in every process. Failures are always logged.
   */
  sample?: number | undefined;
}

/** The same, checked, in the form that the writers of such lines query. */
export interface LogSettings {
  /** Whether lines of a level are logged. */
  writes(level: Level): boolean;
  /** Whether successes are logged for this room, or for this event that has none. */
  samples(key: string): boolean;
}

/** The injection token of the settings. */
export const LOG_SETTINGS = Symbol.for('nestjs-livekit-webhooks:log-settings');

/** The levels of Nest that ours are compared with, from the least to the most urgent. */
const ORDER: readonly LogLevel[] = ['verbose', ...LOG_LEVELS, 'fatal'];

/** Whether `level` is one of Nest's. */
export const isLogLevel = (level: unknown): level is LogLevel =>
  (ORDER as readonly unknown[]).includes(level);

/** The settings that options stand for. */
export function logSettings({ level = 'log', sample = 1 }: LogOptions = {}): LogSettings {
  const least = ORDER.indexOf(level);
  const written = new Set(LOG_LEVELS.filter((each) => ORDER.indexOf(each) >= least));
  return {
    writes: (each) => written.has(each),
    samples: (key) => sample >= 1 || hash(key) < sample * 2 ** 32,
  };
}

// FNV-1a with a final mix: the same in every process, so a call that is logged is logged from end to end.
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
