/** One measured thing: what a round of it costs, over all rounds. */
export interface Measurement {
  name: string;
  unit: string;
  median: number;
  min: number;
  max: number;
  rounds: number;
}

/** What a part of the bench reports. `target` is in words; `met` is null when the part has no such target. */
export interface BenchReport {
  part: string;
  what: string;
  measurements: Measurement[];
  ratios: { name: string; value: number; target: string; met: boolean | null }[];
}

export function summarise(name: string, unit: string, samples: readonly number[]): Measurement {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { name, unit, median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, rounds: sorted.length };
}

/**
 * Runs the rivals in turn, round after round, so that a change of the machine's speed meets all of them.
 *
 * Each function does one round and gives its cost.
 */
export async function interleave(
  unit: string,
  rounds: number,
  rivals: Readonly<Record<string, () => Promise<number>>>,
): Promise<Measurement[]> {
  const samples = new Map<string, number[]>(Object.keys(rivals).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(rivals)) {
      const cost = await run();
      if (round >= 0) samples.get(name)?.push(cost); // the first round warms up
    }
  }
  return [...samples].map(([name, values]) => summarise(name, unit, values));
}

export function medianOf(measurements: readonly Measurement[], name: string): number {
  const found = measurements.find((each) => each.name === name);
  if (!found) throw new Error(`nothing was measured for ${name}`);
  return found.median;
}
