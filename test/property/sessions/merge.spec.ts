import fc from 'fast-check';
import { mergeConnection, mergeRoom } from '../../../src/sessions/facts/merge.js';
import { connectionFacts, roomFacts, runs } from './arbitraries.js';

const laws = <F>(what: string, facts: fc.Arbitrary<F>, merge: (a: F, b: F) => F): void => {
  describe(`merging ${what}`, () => {
    it('is commutative', () => {
      fc.assert(
        fc.property(facts, facts, (a, b) => expect(merge(a, b)).toEqual(merge(b, a))),
        runs(500),
      );
    });

    it('is associative', () => {
      fc.assert(
        fc.property(facts, facts, facts, (a, b, c) =>
          expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c))),
        ),
        runs(500),
      );
    });

    it('is idempotent', () => {
      fc.assert(
        fc.property(facts, facts, (a, b) => {
          expect(merge(a, a)).toEqual(a);
          const both = merge(a, b);
          expect(merge(both, b)).toEqual(both);
        }),
        runs(500),
      );
    });
  });
};

laws('rooms', roomFacts, mergeRoom);
laws('connections', connectionFacts(), mergeConnection);
