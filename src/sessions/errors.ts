/** An option of `SessionsModule` can't work; the message names the option and the cure. */
export class SessionsOptionsError extends Error {
  override readonly name = 'SessionsOptionsError';

  constructor(option: string, problem: string) {
    super(`SessionsModule: option \`${option}\` ${problem}`);
  }
}

/** There is no session of this id. */
export class SessionNotFoundError extends Error {
  override readonly name = 'SessionNotFoundError';

  constructor(sessionId: string, project: string) {
    super(
      `no session \`${sessionId}\` is known in project \`${project}\`: LiveKit has not told of its room yet, or its id is another`,
    );
  }
}

/** What was said of a session can't be kept, or a query is not understood; the message names what is wrong, and the cure. */
export class SessionRequestError extends Error {
  override readonly name = 'SessionRequestError';
}

/** LiveKit made no room for a session; the message says why, and `cause` is its own error. */
export class SessionRoomError extends Error {
  override readonly name = 'SessionRoomError';

  constructor(sessionId: string, why: string) {
    super(`LiveKit made no room for session \`${sessionId}\`: ${why}`);
  }
}
