/** One measured thing: what a round of it costs, over all rounds. */
export interface Measurement {
  name: string;
  unit: string;
  median: number;
  min: number;
  max: number;
  rounds: number;
}

/** One figure that is compared with a rival or a target. */
export interface BenchRatio {
  name: string;
  value: number;
  /** In words. */
  target: string;
  /** null when there is no such target. */
  met: boolean | null;
}

/** What a part of the bench reports. */
export interface BenchReport {
  part: string;
  what: string;
  measurements: Measurement[];
  ratios: BenchRatio[];
  /** How each rival was set up, by its name. @default there is none */
  rivals?: Readonly<Record<string, string>>;
  /** What profiles have shown: why a target is missed, what was mended, which cost grows faster than its load. */
  found?: readonly string[];
}

/** Smoke keeps the harness alive and measures nothing of worth; long takes an hour where that shows more. */
export type BenchPart = (smoke: boolean, long: boolean) => Promise<BenchReport>;

export function atMost(name: string, value: number, limit: number): BenchRatio {
  return { name, value, target: `≤ ${limit}`, met: value <= limit };
}

export function atLeast(name: string, value: number, limit: number): BenchRatio {
  return { name, value, target: `≥ ${limit}`, met: value >= limit };
}

/** A figure without a target. */
export function shown(name: string, value: number): BenchRatio {
  return { name, value, target: 'shown', met: null };
}

export function summarise(name: string, unit: string, samples: readonly number[]): Measurement {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { name, unit, median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, rounds: sorted.length };
}

/** The value below which a share (0–1) of the samples lies; 0 of none. */
export function percentile(samples: readonly number[], share: number): number {
  return [...samples].sort((a, b) => a - b)[Math.max(0, Math.ceil(samples.length * share) - 1)] ?? 0;
}

/**
 * Samples by name, taken round after round by rivals in turn, so that a change of the machine's speed meets all of them.
 */
export class Samples {
  readonly #byName = new Map<string, { unit: string; values: number[] }>();

  add(name: string, unit: string, value: number): void {
    const known = this.#byName.get(name);
    if (known) known.values.push(value);
    else this.#byName.set(name, { unit, values: [value] });
  }

  /** @throws when it was not measured */
  median(name: string): number {
    return summarise('', '', this.#valuesOf(name)).median;
  }

  /** The value below which a share (0–1) of the rounds lies. @throws when it was not measured */
  percentile(name: string, share: number): number {
    return percentile(this.#valuesOf(name), share);
  }

  /** Median of the ratios of the same rounds. @throws when one of them was not measured */
  ratio(name: string, over: string): number {
    const [upper, lower] = [this.#valuesOf(name), this.#valuesOf(over)];
    return summarise(
      '',
      '',
      upper.map((value, round) => value / (lower[round] ?? Number.NaN)),
    ).median;
  }

  /** Ratio of the medians, of what both have above a third. @throws when one was not measured */
  ratioOver(name: string, over: string, base: string): number {
    const common = this.median(base);
    return (this.median(name) - common) / (this.median(over) - common);
  }

  summaries(): Measurement[] {
    return [...this.#byName].map(([name, { unit, values }]) => summarise(name, unit, values));
  }

  #valuesOf(name: string): number[] {
    const found = this.#byName.get(name);
    if (!found) throw new Error(`nothing was measured for ${name}`);
    return found.values;
  }
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
