import { setTimeout as delay } from 'node:timers/promises';
import type { ApplicationProcess } from '../support/application-process.js';
import type { PrivateServer } from '../support/private-server.js';
import type { CallEvent, Random } from './calls.js';
import type { Sender } from './sender.js';

/** How many webhooks are sent at the same time. */
export const AT_ONCE = 24;

/**
 * Sends webhooks, and kills who receives them somewhere among them.
 *
 * @param latest how many milliseconds after an answer at most.
 */
export async function sendUntilKilled(
  application: ApplicationProcess,
  sender: Sender,
  load: readonly CallEvent[],
  random: Random,
  latest = 10,
): Promise<void> {
  const enough = random(load.length);
  const moment = random(latest);
  let answered = 0;
  const kill = () => setTimeout(() => void application.kill(), moment);
  sender.onAnswer = () => {
    answered += 1;
    if (answered === enough) kill();
  };
  if (enough === 0) kill();
  await sender.sendAll(load, AT_ONCE);
  await application.exited;
  sender.onAnswer = () => undefined;
}

/** Kills a process that was launched, so many milliseconds later. */
export async function killWhileItStarts(application: ApplicationProcess, moment: number): Promise<void> {
  const timer = setTimeout(() => void application.kill(), moment);
  await application.listening.catch(() => undefined);
  clearTimeout(timer);
  await application.kill();
}

/**
 * Breaks the server of an engine: it loses everything, or is killed and comes back as it was, or empty.
 *
 * @param latest in how many milliseconds at most.
 * @param longest how many milliseconds it is gone at most.
 */
export async function breakServer(
  server: PrivateServer,
  random: Random,
  latest: number,
  longest: number,
): Promise<void> {
  const [moment, pause, what] = [random(latest), random(longest), random(3)];
  await delay(moment);
  if (what > 0) {
    await server.kill();
    await delay(pause);
    await server.start();
  }
  if (what < 2) await server.empty();
}
