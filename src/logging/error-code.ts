import { isError } from '../tracing/spans.js';

/** What codes look like: SQLSTATE; words in capitals, as of Node, SQLite and libraries; words in lower case, as of twirp. */
const CODE = /^(?:[0-9A-Z]{5}|[A-Z]+(?:_[A-Z0-9]+)*|[a-z]+(?:_[a-z]+)*)$/;

const LONGEST_CODE = 60;

/** The first word of a Redis reply; until Redis 7, a script's reply has the failed command's word further on. */
const REPLY_CODE =
  /^(?:ERR Error running script \(call to f_\w+\): @user_script:\d+: @user_script: \d+: -)?([A-Z]{2,20})(?= )/;

/** The code of an error, if it looks like one: SQLSTATE, Node's, a driver's, or the first word of a Redis reply. */
export function errorCode(error: object): string | undefined {
  const { code, driverError, cause, name, message } = error as Record<string, unknown>;
  if (typeof code === 'string') return isCode(code) ? code : undefined;
  if (typeof code === 'number')
    return Number.isInteger(code) && Math.abs(code) < 100_000 ? String(code) : undefined;
  if (name === 'ReplyError') return REPLY_CODE.exec(String(message))?.[1];
  const inner = driverError ?? cause;
  return isError(inner) && inner !== error ? errorCode(inner) : undefined;
}

const isCode = (code: string): boolean => code.length <= LONGEST_CODE && CODE.test(code);
