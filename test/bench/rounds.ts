/** Figures of one round, by their unit. */
export type Measure = Record<string, number>;

/** What is measured. */
export interface Contestant {
  /** For machines. */
  name: string;
  /** For people. */
  what: string;
  measure(): Promise<Measure>;
}

/** The median of several rounds, and how far they lie apart. */
export interface Summary {
  median: number;
  min: number;
  max: number;
}

/** A contestant, and what it has shown. */
export interface Row {
  name: string;
  what: string;
  figures: Record<string, Summary>;
  rounds: Measure[];
}

/** Rounds, and milliseconds of each, when it is only to be seen that a bench runs. */
export const SMOKE: [rounds: number, slot: number] = [1, 100];

/** How long a server is loaded before it is measured, milliseconds: Node compiles what is often run, on all cores. */
export const WARM_UP = 5_000;

/**
 * How long it is loaded before each of its turns, milliseconds: Node forgets what it has compiled while a process has nothing
 * to do. After 20 s an application on Express takes three times as long for a delivery, and has caught up within this time.
 */
const WARM_AGAIN = 1_500;

/** As many rounds of a length, milliseconds. */
const warmUps = (slot: number): number => Math.ceil(WARM_UP / slot);

/** How a server is warmed up whose full speed is the question: before each of its turns, milliseconds, and in rounds before those that count. */
export const warmingUp = (slot: number, smoke: boolean): { again: number; before: number } =>
  smoke ? { again: slot, before: 1 } : { again: WARM_AGAIN, before: warmUps(WARM_AGAIN + slot) };

/** A figure of one contestant as multiples of the same figure of others, by their names. */
export interface Ratio {
  name: string;
  unit: string;
  times: Record<string, Summary>;
}

/**
 * Measures contestants in turn, round after round, so that whatever else the machine does hits all alike; every other round
 * goes the other way, so that nobody always comes behind the same one. One that fails fails the run: no ratio may come of it.
 *
 * @param before how many rounds there are before the first that counts.
 */
export async function inTurns(
  contestants: readonly Contestant[],
  rounds: number,
  before = 1,
): Promise<Row[]> {
  const measures = contestants.map((): Measure[] => []);
  for (let round = 0; round < before + rounds; round += 1) {
    const turns = [...contestants.entries()];
    for (const [i, contestant] of round % 2 === 0 ? turns : turns.toReversed()) {
      const measure = await contestant.measure();
      if (round >= before) measures[i]?.push(measure);
    }
  }
  return contestants.map(({ name, what }, i) => rowOf(name, what, measures[i] ?? []));
}

/** What the rounds of a contestant come to. */
export const rowOf = (name: string, what: string, rounds: Measure[]): Row => ({
  name,
  what,
  figures: Object.fromEntries(
    Object.keys(rounds[0] ?? {}).map((unit) => [
      unit,
      summary(rounds.map((measure) => measure[unit] ?? NaN)),
    ]),
  ),
  rounds,
});

/**
 * A figure of one contestant as multiples of others', of each round: what slows the machine down for a while slows
 * both down in that round. Who has not taken part is left out.
 */
export function ratioOf(rows: readonly Row[], unit: string, name: string, to: readonly string[]): Ratio {
  const rounds = (wanted: string) => rows.find((row) => row.name === wanted)?.rounds ?? [];
  const times: Record<string, Summary> = {};
  for (const other of to) {
    const ratios = rounds(other).map(
      (measure, i) => (rounds(name)[i]?.[unit] ?? NaN) / (measure[unit] ?? NaN),
    );
    if (ratios.length > 0) times[other] = summary(ratios);
  }
  return { name, unit, times };
}

function summary(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: sorted[Math.floor(sorted.length / 2)] ?? NaN,
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN,
  };
}
