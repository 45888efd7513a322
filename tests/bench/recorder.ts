import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { METRICS, type MetricDeclaration, type Series } from '#lib/protocol/metrics.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { openSystem } from './main-system.ts';
import { atLeast, atMost, type BenchReport, Samples } from './measure.ts';
import { recordTime } from './recorder/record-time.ts';

interface Size {
  rounds: number;
  /** Recorded in one round. */
  seconds: number;
  /** Recorded before questions are asked. */
  filledSeconds: number;
  questions: number;
}
const FULL: Size = { rounds: 7, seconds: 3600, filledSeconds: 86_400, questions: 31 };
const SMOKE: Size = { rounds: 1, seconds: 30, filledSeconds: 60, questions: 2 };
const DAY_SECONDS = 86_400;
/** The recorder takes each series once a second. */
const NORMAL_PER_SECOND = 1;
/** One chart's series, and those of a page full of charts. */
const CHART = [METRICS.endToEndP50Ms, METRICS.endToEndP95Ms];
const PAGE = Object.values(METRICS);

/** What recording costs, what it leaves on the disk, and what asking for the past takes. */
export async function benchRecorder(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const samples = new Samples();
  const { system, close } = await openSystem(smoke, { cameraRate: 2 });
  let asked = system;
  try {
    const metrics = await seriesOf(system);
    if (!smoke) await system.stop();
    const bytesADay = storeRounds(samples, metrics, size);
    if (!smoke) asked = await restartWithPast(system, metrics, size);
    await askRounds(samples, asked, size);
    const stored = samples.median(STORED);
    return {
      part: 'recorder',
      what:
        `The ${metrics.length} series of a running system, each once a second. Storing: ${size.seconds} s of them lived ` +
        `through by the recorder itself as fast as it can, its clock moved by hand. Asking: over REST, of a day's record`,
      measurements: samples.summaries(),
      ratios: [
        atLeast('stored / normal rate', stored / (metrics.length * NORMAL_PER_SECOND), 20),
        atMost("an hour's query for one chart, ms", samples.median(HOUR), 200),
        { name: 'MB a day', value: bytesADay / 1e6, target: 'shown', met: null },
      ],
    };
  } finally {
    if (smoke) await close();
    else await asked.close();
  }
}

const STORED = 'stored';
const HOUR = 'an hour of one chart (2 series, 300 points)';

/** The longest list of series that the system's recorder has seen so far; the processes join one by one. */
async function seriesOf(system: System): Promise<MetricDeclaration[]> {
  return until('every process has declared its series', 20_000, () => {
    const db = new DatabaseSync(join(system.dataDir, 'recorder', 'samples.sqlite'), { readOnly: true });
    try {
      const row = db.prepare('SELECT metrics FROM layouts ORDER BY length(metrics) DESC LIMIT 1').get();
      const metrics = JSON.parse(String(row?.['metrics'] ?? '[]')) as MetricDeclaration[];
      const names = new Set(metrics.map(({ name }) => name));
      return PAGE.every((name) => names.has(name)) ? metrics : undefined;
    } finally {
      db.close();
    }
  });
}

/** Gives the bytes that a day of these series takes on the disk. */
function storeRounds(samples: Samples, metrics: readonly MetricDeclaration[], size: Size): number {
  for (let round = -1; round < size.rounds; round++) {
    const dir = mkdtempSync(join(tmpdir(), 'brownout-bench-'));
    const tookMs = recordTime(dir, metrics, size.seconds, Date.now());
    const { size: bytes } = statSync(join(dir, 'samples.sqlite'));
    rmSync(dir, { recursive: true });
    if (round < 0) continue; // warms up
    samples.add(STORED, 'samples/s', (size.seconds * metrics.length * 1000) / tookMs);
    samples.add('one second of all series', 'µs', (tookMs * 1000) / size.seconds);
    samples.add('on the disk', 'bytes/sample', bytes / size.seconds / metrics.length);
    samples.add('on the disk in a day', 'MB', ((bytes / size.seconds) * DAY_SECONDS) / 1e6);
  }
  return samples.median('on the disk in a day') * 1e6;
}

async function restartWithPast(
  system: System,
  metrics: readonly MetricDeclaration[],
  { filledSeconds }: Size,
): Promise<System> {
  const dir = join(system.dataDir, 'recorder');
  rmSync(dir, { recursive: true });
  recordTime(dir, metrics, filledSeconds, Date.now());
  return system.restart();
}

async function askRounds(samples: Samples, system: System, { questions }: Size): Promise<void> {
  const ask = async (name: string, series: readonly string[], rangeMs: number) => {
    const startedAt = performance.now();
    const path = `/series?names=${series.join(',')}&fromMs=${Date.now() - rangeMs}`;
    const { status, body } = await system.api<{ series: Series[] }>('GET', path);
    samples.add(name, 'ms', performance.now() - startedAt);
    if (status !== 200 || body.series.length !== series.length)
      throw new Error(`${name}: answered ${status} with ${body.series?.length} of ${series.length} series`);
  };
  for (let round = 0; round < questions; round++) {
    await ask(HOUR, CHART, 3_600_000);
    await ask(`an hour of every chart (${PAGE.length} series)`, PAGE, 3_600_000);
    await ask(`a day of every chart (${PAGE.length} series)`, PAGE, 24 * 3_600_000 - 60_000);
  }
}
