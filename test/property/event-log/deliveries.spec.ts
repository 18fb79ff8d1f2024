import fc from 'fast-check';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import type { BatchContext, DeliveryContext } from '../../../src/event-log/handlers/context.js';
import { DiscardDelivery, RetryAfter } from '../../../src/event-log/handlers/outcomes.js';
import {
  bootHandlers,
  type HandlerHost,
  handlerOf,
  type TestHandlerOptions,
} from '../../support/handlers.js';
import { LONG, runs } from '../sessions/arbitraries.js';

const MAX_ATTEMPTS = 4;

/** What happens at the attempts of a delivery, in turn; after them it succeeds. */
type Step = 'fails' | 'asks for later' | 'is discarded';

interface Planned {
  room: string | null;
  steps: Step[];
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>('fails') },
  { weight: 3, arbitrary: fc.constant<Step>('asks for later') },
  { weight: 1, arbitrary: fc.constant<Step>('is discarded') },
);

const planned: fc.Arbitrary<Planned> = fc.record({
  room: fc.constantFrom('RM_A', 'RM_B', 'RM_C', null),
  // Most go well at once, some fail a little, and a few until they are dead.
  steps: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step[]>([]) },
    { weight: 4, arbitrary: fc.array(step, { minLength: 1, maxLength: MAX_ATTEMPTS - 1 }) },
    { weight: 1, arbitrary: fc.constant<Step[]>(Array(MAX_ATTEMPTS).fill('fails')) },
  ),
});

const plans = fc.record({
  // More than are claimed at once, sometimes.
  events: fc.array(planned, { minLength: 1, maxLength: 100, size: 'max' }),
  // Appended in groups, between which time passes, after what came before has been run, or while it is, or before it is.
  group: fc.integer({ min: 1, max: 100 }),
  meanwhile: fc.constantFrom('drained', 'running', 'paused'),
  concurrency: fc.integer({ min: 1, max: 6 }),
  batch: fc.option(fc.integer({ min: 1, max: 8 }), { nil: null }),
  // Turns of the event loop that a run takes.
  turns: fc.integer({ min: 0, max: 4 }),
});

type Plan = typeof plans extends fc.Arbitrary<infer P> ? P : never;

/** How a delivery must end, and after how many attempts. */
function endOf({ steps }: Planned): { state: 'done' | 'dead' | 'discarded'; attempt: number } {
  const discarded = steps.indexOf('is discarded');
  if (discarded >= 0) return { state: 'discarded', attempt: discarded + 1 };
  if (steps.length >= MAX_ATTEMPTS) return { state: 'dead', attempt: MAX_ATTEMPTS };
  return { state: 'done', attempt: steps.length + 1 };
}

/** Plays a plan at a handler in an application of its own, and tells what came of it. */
async function play(
  { events, group, meanwhile, concurrency, batch, turns }: Plan,
  options: TestHandlerOptions,
) {
  const succeeded: string[] = [];
  const begun: string[] = [];
  const overlaps: string[] = [];
  const busy = new Set<string>();

  const attempt = ({ eventId }: LoggedEvent, { attempt: nth }: DeliveryContext) => {
    switch (events[Number(eventId)]?.steps[nth - 1]) {
      case 'fails':
        throw new Error('not now');
      case 'asks for later':
        throw new RetryAfter(1_500);
      case 'is discarded':
        throw new DiscardDelivery('never');
    }
  };
  const take = async (given: LoggedEvent | LoggedEvent[], context: DeliveryContext | BatchContext) => {
    const members = [given].flat();
    const contexts = 'deliveries' in context ? context.deliveries : [context];
    const rooms = new Set(members.flatMap(({ roomSid }) => roomSid ?? []));
    for (const room of rooms) if (busy.has(room)) overlaps.push(room);
    for (const room of rooms) busy.add(room);
    try {
      begun.push(...members.map(({ eventId }) => eventId));
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      members.forEach((member, n) => attempt(member, contexts[n] as DeliveryContext));
      succeeded.push(...members.map(({ eventId }) => eventId));
    } finally {
      for (const room of rooms) busy.delete(room);
    }
  };

  const handler = handlerOf<DeliveryContext | BatchContext, LoggedEvent | LoggedEvent[]>('planned', take, {
    concurrency,
    maxAttempts: MAX_ATTEMPTS,
    backoff: () => 1_000,
    ...(batch !== null && { batch }),
    ...options,
  });
  const host = await bootHandlers({ url: ':memory:', providers: [handler] });
  try {
    if (meanwhile === 'paused') await host.deliveries.pause('planned');
    for (let from = 0; from < events.length; from += group) {
      for (const [n, { room }] of events.slice(from, from + group).entries()) {
        await host.receive([
          String(from + n),
          'room_started',
          ...((room === null ? [] : [room]) as [string?]),
        ]);
      }
      host.clock.advance(700);
      if (meanwhile === 'drained') await host.deliveries.drain();
    }
    if (meanwhile === 'paused') await host.deliveries.resume('planned');
    await finish(host, events.length * MAX_ATTEMPTS);
    const { deliveries } = await host.deliveries.list({ limit: 500 });
    const ends = new Map(
      deliveries.map(({ event, state, attempt: nth }) => [event.id, { state, attempt: nth }]),
    );
    return { succeeded, begun, overlaps, ends };
  } finally {
    await host.app.close();
  }
}

/** Lets time pass until nothing is left to do: each pass ends an attempt of every room at least. */
async function finish(host: HandlerHost, most: number): Promise<void> {
  for (let pass = 0; pass < most; pass++) {
    await host.pass(1_500);
    const lag = await host.deliveries.lag();
    if (lag.every(({ pending, running }) => pending + running === 0)) return;
  }
  throw new Error('it does not come to an end');
}

/** Whatever the plan, every event comes to the end that was planned for it. */
const expectEnds = ({ events }: Plan, ends: ReadonlyMap<string, object>) =>
  expect(ends).toEqual(new Map(events.map((event, n) => [String(n), endOf(event)])));

describe('whatever happens in whichever rooms, in batches of any size and at any concurrency,', () => {
  test(
    'every event of a handler ends as was decided, and what succeeds does so once',
    async () => {
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          const { succeeded, ends } = await play(plan, {});
          expectEnds(plan, ends);
          const good = plan.events.flatMap((event, n) => (endOf(event).state === 'done' ? [String(n)] : []));
          expect(succeeded.toSorted()).toEqual(good.toSorted());
        }),
        runs(25),
      );
    },
    LONG,
  );

  test(
    'and the events of a room go through an ordered one in their order, one at a time',
    async () => {
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          const { succeeded, begun, overlaps, ends } = await play(plan, { ordering: 'room' });
          expectEnds(plan, ends);
          expect(overlaps).toEqual([]);
          for (const room of ['RM_A', 'RM_B', 'RM_C']) {
            const isOf = (id: string) => plan.events[Number(id)]?.room === room;
            const ids = plan.events.flatMap((event, n) => (event.room === room ? [String(n)] : []));
            expect(succeeded.filter(isOf)).toEqual(
              ids.filter((id) => endOf(plan.events[Number(id)] as Planned).state === 'done'),
            );
            if (plan.batch !== null) continue;
            // Not one begins before the one in front of it has come to its end.
            expect(begun.filter(isOf)).toEqual(
              ids.flatMap((id) => Array(endOf(plan.events[Number(id)] as Planned).attempt).fill(id)),
            );
          }
        }),
        runs(25),
      );
    },
    LONG,
  );
});
