import type { ClaimedDelivery } from '../../../src/event-log/claim/claims.js';
import { buildHandlers } from '../../../src/event-log/handlers/build-handler.js';
import type { Handler } from '../../../src/event-log/handlers/handler.js';

/** A handler as the application would have it, but for what is told. */
export function handler(changes: Partial<Handler> = {}): Handler {
  const [built] = buildHandlers(
    {
      where: 'Class.method',
      declarations: [{ kind: 'livekit', names: ['*'], options: {}, decode: (event) => event }],
      call: () => undefined,
    },
    new Map(),
  );
  return { ...(built as Handler), ...changes };
}

let lastId = 0;

/** A delivery as it is claimed for the first time, but for what is told. */
export function claimed(changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery {
  const id = ++lastId;
  return {
    id,
    handler: handler(),
    event: null,
    eventSeq: id,
    orderKey: null,
    attempt: 1,
    replay: 0,
    traceparent: null,
    token: 'token',
    ...changes,
  };
}
