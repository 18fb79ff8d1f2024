/** An option of `SessionsModule` is invalid; the message names the option and the cure. */
export class SessionsOptionsError extends Error {
  override readonly name = 'SessionsOptionsError';

  constructor(option: string, problem: string) {
    super(`SessionsModule: option \`${option}\` ${problem}`);
  }
}

/** There is no session with this id. */
export class SessionNotFoundError extends Error {
  override readonly name = 'SessionNotFoundError';

  constructor(sessionId: string, project: string) {
    super(
      `no session \`${sessionId}\` is known in project \`${project}\`: LiveKit has not told of its room yet, or its id is another`,
    );
  }
}

/** A request about a session, or a query, is invalid or can't be stored; the message names what is wrong, and the cure. */
export class SessionRequestError extends Error {
  override readonly name = 'SessionRequestError';
}

/** LiveKit made no room for a session, or gave no answer in time; the message says why. A `cause` might hold a token. */
export class SessionRoomError extends Error {
  override readonly name = 'SessionRoomError';

  constructor(sessionId: string, why: string) {
    super(`LiveKit made no room for session \`${sessionId}\`: ${why}`);
  }
}
