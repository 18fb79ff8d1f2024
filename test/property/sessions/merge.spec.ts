import fc from 'fast-check';
import { anonymous, nameless } from '../../../src/sessions/facts/erase.js';
import { mergeConnection, mergeEgress, mergeRoom } from '../../../src/sessions/facts/merge.js';
import { connectionFacts, egressFacts, roomFacts, runs } from './arbitraries.js';

const RUNS = runs(300, 10_000);

const laws = <F>(what: string, facts: fc.Arbitrary<F>, merge: (a: F, b: F) => F): void => {
  describe(`merging ${what}`, () => {
    it('is commutative', () => {
      fc.assert(
        fc.property(facts, facts, (a, b) => expect(merge(a, b)).toEqual(merge(b, a))),
        RUNS,
      );
    });

    it('is associative', () => {
      fc.assert(
        fc.property(facts, facts, facts, (a, b, c) =>
          expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c))),
        ),
        RUNS,
      );
    });

    it('is idempotent', () => {
      fc.assert(
        fc.property(facts, facts, (a, b) => {
          expect(merge(a, a)).toEqual(a);
          const both = merge(a, b);
          expect(merge(both, b)).toEqual(both);
        }),
        RUNS,
      );
    });
  });
};

laws('rooms', roomFacts, mergeRoom);
laws('connections', connectionFacts(), mergeConnection);
laws('egresses', egressFacts, mergeEgress);

const pseudonyms = fc.constantFrom('erased-0123456789ab', 'erased-ba9876543210');
const orErased = <F>(facts: fc.Arbitrary<F>, erase: (fact: F, pseudonym: string) => F): fc.Arbitrary<F> =>
  fc.oneof(
    facts,
    fc.tuple(facts, pseudonyms).map(([fact, pseudonym]) => erase(fact, pseudonym)),
  );

laws('rooms, some of them erased', orErased(roomFacts, nameless), mergeRoom);
laws('connections, some of them erased', orErased(connectionFacts(), anonymous), mergeConnection);
