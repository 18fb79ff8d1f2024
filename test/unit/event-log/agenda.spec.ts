import type { Demand } from '../../../src/event-log/claim/claims.js';
import { NOTHING } from '../../../src/event-log/route/fan-out.js';
import type { TurnOutcome } from '../../../src/event-log/loop/delivery-turns.js';
import type { Handler } from '../../../src/event-log/handlers/handler.js';
import { Agenda } from '../../../src/event-log/loop/agenda.js';
import { until } from '../../support/until.js';
import { claimed, handler } from './deliveries.js';

const LOOKING = { settling: [], demands: [], routing: true, backfilling: true };

/** An agenda on which nothing stands any more. */
function cleared() {
  let calls = 0;
  const agenda = new Agenda(() => (calls += 1));
  agenda.begin([]);
  calls = 0;
  return { agenda, calls: () => calls };
}

const outcome = (given: Partial<TurnOutcome> = {}): TurnOutcome => ({
  lost: [],
  routed: NOTHING,
  asked: [],
  claimed: [],
  ...given,
});

/** A turn in which a handler asked for three deliveries, and got two. */
function twoOfThree(changes: Partial<Handler>): TurnOutcome {
  const of = handler(changes);
  const asked: Demand[] = [{ handler: of, limit: 3 }];
  return outcome({ asked, claimed: [claimed({ handler: of }), claimed({ handler: of })] });
}

describe('what a runner looks for', () => {
  test('is anything at first, and then what comes', () => {
    const agenda = new Agenda(() => undefined);
    expect([agenda.mayBeUnrouted, agenda.mayBeBackfillable]).toEqual([true, true]);
    agenda.begin([]);
    expect([agenda.mayBeUnrouted, agenda.mayBeBackfillable]).toEqual([false, false]);
    const before = agenda.entries;
    agenda.enterDue('billing');
    expect([...agenda.mayBeDue]).toEqual(['billing']);
    expect(agenda.entries).toBeGreaterThan(before);
  });

  test('stays where there was no room for it', () => {
    const { agenda } = cleared();
    agenda.enterAll(['billing', 'archive']);
    agenda.begin([{ handler: handler({ name: 'archive' }), limit: 1 }]);
    expect([...agenda.mayBeDue]).toEqual(['billing']);
  });

  test('is routed at once when it comes alone, and together when more comes soon after', async () => {
    const { agenda, calls } = cleared();
    agenda.enterAppended(false);
    expect([agenda.mayBeUnrouted, calls()]).toEqual([true, 1]);
    agenda.begin([]);
    agenda.enterAfter(LOOKING, outcome());
    for (const before of [1, 2]) {
      agenda.enterAppended(false);
      agenda.enterAppended(false);
      expect([agenda.mayBeUnrouted, calls()]).toEqual([false, before]);
      await until('it to be routed', () => agenda.mayBeUnrouted);
      expect(calls()).toBe(before + 1);
      agenda.begin([]);
      agenda.enterAfter(LOOKING, outcome());
    }
  });

  test('is routed at once when somebody waits for all of it', () => {
    const { agenda } = cleared();
    agenda.enterAfter(LOOKING, outcome());
    agenda.enterAppended(true);
    expect(agenda.mayBeUnrouted).toBe(true);
  });

  test('is looked for again where others route, or a batch was full', () => {
    for (const routed of [null, { ...NOTHING, isFull: true }]) {
      const { agenda } = cleared();
      agenda.enterAfter({ ...LOOKING, backfilling: false }, outcome({ routed }));
      expect(agenda.mayBeUnrouted).toBe(true);
    }
  });

  test('is more of the same handler, but not what waits for rooms that run', () => {
    const { agenda } = cleared();
    agenda.enterAfter(LOOKING, twoOfThree({ name: 'billing' }));
    expect([...agenda.mayBeDue]).toEqual(['billing']);
    const { agenda: ordered } = cleared();
    ordered.enterAfter(LOOKING, twoOfThree({ name: 'billing', ordered: true }));
    expect([...ordered.mayBeDue]).toEqual([]);
  });

  test('is more of each handler that got all it asked for, whatever others got', () => {
    const { agenda } = cleared();
    const [billing, archive] = ['billing', 'archive'].map((name) => handler({ name, ordered: true })) as [
      Handler,
      Handler,
    ];
    const asked = [billing, archive].map((of) => ({ handler: of, limit: 2 }));
    const given = [billing, billing, archive].map((of) => claimed({ handler: of }));
    agenda.enterAfter(LOOKING, outcome({ asked, claimed: given }));
    expect([...agenda.mayBeDue]).toEqual(['billing']);
  });

  test('is what is old, too, where it had no turn', () => {
    for (const routed of [null, { ...NOTHING, isFull: true }]) {
      const { agenda } = cleared();
      agenda.enterAfter(LOOKING, outcome({ routed }));
      expect(agenda.mayBeBackfillable).toBe(true);
    }
  });

  test('is more of what is old with every run that ends, as long as a handler waits for it', () => {
    const { agenda } = cleared();
    for (const isOver of [false, true]) {
      agenda.enterAfter(LOOKING, outcome({ routed: { ...NOTHING, backfilled: { handler: null, isOver } } }));
      expect(agenda.mayBeBackfillable).toBe(false);
      agenda.enterEnded('billing', true);
      expect(agenda.mayBeBackfillable).toBe(!isOver);
      agenda.begin([]);
    }
  });
});
