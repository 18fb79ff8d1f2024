import type { Session } from '../../src/sessions/session.js';
import type { ApplicationProcess } from '../support/application-process.js';
import { until } from '../support/until.js';
import type { CallTruth } from './call.js';
import { disagreements } from './truth.js';

/** The sessions of a call, as the application tells them. */
export async function sessionsOf(application: ApplicationProcess, call: CallTruth): Promise<Session[]> {
  const { json } = await application.get(`/voice/sessions?sessionId=${call.roomName}`);
  return (json as { sessions: Session[] }).sessions;
}

/** The session of a call, as soon as it agrees with what the clients did. @throws Error that tells where it does not, after `patience` milliseconds. */
export async function agreed(
  application: ApplicationProcess,
  call: CallTruth,
  patience = 10_000,
): Promise<Session> {
  let wrong: string[] = [];
  const look = async (): Promise<Session | undefined> => {
    const [session, ...others] = await sessionsOf(application, call);
    wrong = session === undefined ? ['there is none'] : disagreements(session, call);
    if (others.length > 0) wrong.push(`there are ${others.length} more of them`);
    return wrong.length === 0 ? session : undefined;
  };
  return until(`the session of ${call.roomName} to agree`, look, patience).catch((error: unknown) => {
    throw new Error([`the session of ${call.roomName} is not what happened:`, ...wrong].join('\n  '), {
      cause: error,
    });
  });
}
