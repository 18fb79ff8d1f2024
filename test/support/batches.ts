/** The first of every room, then the second of every room, …: each batch can be sent at once, and rooms keep their order. */
export function inRoomOrder<T>(all: readonly T[], roomOf: (one: T) => string): T[][] {
  const batches: T[][] = [];
  const counts = new Map<string, number>();
  for (const one of all) {
    const nth = counts.get(roomOf(one)) ?? 0;
    counts.set(roomOf(one), nth + 1);
    (batches[nth] ??= []).push(one);
  }
  return batches;
}

/** All of them in order, in chunks of `size`. */
export const chunks = <T>(all: readonly T[], size = 16): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, nth) => all.slice(nth * size, (nth + 1) * size));
