import { openSystem } from '../main-system.ts';
import { atMost, type BenchRatio, type Samples } from '../measure.ts';
import { systemUse } from '../measure-processes.ts';

const PER_SECOND = 10;
const HOUR_MS = 3_600_000;
const EVERY_MS = 30_000;
/** Samples whose median stands for the beginning and the end of the second half hour. */
const ENDS = 10;

/** An hour of ten frames a second: what each process holds, and by how much that grows in the second half. */
export async function measureHour(samples: Samples): Promise<BenchRatio[]> {
  const { system, close } = await openSystem(false, { cameraRate: PER_SECOND });
  try {
    const held = new Map<string, number[]>();
    const untilMs = performance.now() + HOUR_MS;
    while (performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      for (const [name, { memoryBytes }] of await systemUse(system)) {
        samples.add(`an hour at ${PER_SECOND} frames/s: memory of ${name}`, 'MB', memoryBytes / 1e6);
        held.set(name, [...(held.get(name) ?? []), memoryBytes]);
      }
    }
    return [...held].map(([name, bytes]) =>
      atMost(`${name}: memory at the end of the second half hour / at its beginning`, growthOf(bytes), 1.1),
    );
  } finally {
    await close();
  }
}

function growthOf(bytes: readonly number[]): number {
  const half = bytes.slice(Math.floor(bytes.length / 2));
  return middleOf(half.slice(-ENDS)) / middleOf(half.slice(0, ENDS));
}

function middleOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
