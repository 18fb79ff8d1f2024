import type { LogLevel } from '@nestjs/common';
import { type Level, LOG_LEVELS } from './log-lines.js';

/** What is logged of webhooks and of deliveries to handlers, of which there are many. */
export interface LogOptions {
  /**
   * The least urgent of their lines that is made, `'log'` by default. At `'debug'` attempts that went well have one, too; at
   * `'warn'` only what did not go well has. Nest's own logger has its level beside this.
   */
  level?: LogLevel | undefined;
  /**
   * The share of the lines about what went well that is made, 0 to 1, 1 by default. By room: all of a room's lines or none, in
   * every process. What did not go well is always told.
   */
  sample?: number | undefined;
}

/** The same, checked, as whoever writes such lines asks it. */
export interface LogSettings {
  /** Whether lines of a level are made. */
  writes(level: Level): boolean;
  /** Whether what went well is told of this room, or of this event that is of none. */
  samples(key: string): boolean;
}

/** Where the settings are injected from. */
export const LOG_SETTINGS = Symbol.for('nestjs-livekit-webhooks:log-settings');

/** The levels of Nest that ours are compared with, from the least to the most urgent. */
const ORDER: readonly LogLevel[] = ['verbose', ...LOG_LEVELS, 'fatal'];

/** Whether `level` is one of Nest's. */
export const isLogLevel = (level: unknown): level is LogLevel =>
  (ORDER as readonly unknown[]).includes(level);

/** What options mean. */
export function logSettings({ level = 'log', sample = 1 }: LogOptions = {}): LogSettings {
  const least = ORDER.indexOf(level);
  const written = new Set(LOG_LEVELS.filter((each) => ORDER.indexOf(each) >= least));
  return {
    writes: (each) => written.has(each),
    samples: (key) => sample >= 1 || hash(key) < sample * 2 ** 32,
  };
}

// FNV-1a, with a last stir: the same in every process, and a call that is shown is shown from end to end.
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
