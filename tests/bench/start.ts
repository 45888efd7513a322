import { startFreshClone } from '#tests/support/fresh-clone.ts';
import { openSystem } from './main-system.ts';
import { atMost, type BenchReport, Samples, shown } from './measure.ts';
import { systemUse } from './measure-processes.ts';
import { measureHour } from './start/hour.ts';

/** How long a system without work is left alone before its memory is read, ms. */
const REST_MS = 10_000;
const ROUNDS = 5;

/**
 * Built and installed: from the command to the page; and what each process holds when it has nothing to do.
 *
 * Long: also from a clone without packages and build, and an hour at ten frames a second.
 */
export async function benchStart(smoke: boolean, long: boolean): Promise<BenchReport> {
  const samples = new Samples();
  for (let round = 0; round < (smoke ? 1 : ROUNDS); round++) {
    const { system, startedInMs, close } = await openSystem(smoke, { cameraRate: 0 });
    try {
      const askedMs = performance.now();
      const page = await fetch(system.url);
      const text = await page.text();
      if (page.status !== 200 || !text.includes('<html'))
        throw new Error(`The page was answered with ${page.status}: ${text.slice(0, 200)}`);
      samples.add(LIVE, 's', (startedInMs + performance.now() - askedMs) / 1000);
      if (!smoke && round < ROUNDS - 1) continue;
      await new Promise((resolve) => setTimeout(resolve, smoke ? 0 : REST_MS));
      let bytes = 0;
      for (const [name, { memoryBytes }] of await systemUse(system)) {
        samples.add(`at rest: ${name}`, 'MB', memoryBytes / 1e6);
        bytes += memoryBytes;
      }
      samples.add(AT_REST, 'MB', bytes / 1e6);
    } finally {
      await close();
    }
  }
  const hour = long ? await measureHour(samples) : [];
  if (long) {
    const startedMs = performance.now();
    await startFreshClone({ installed: false });
    samples.add(FRESH, 's', (performance.now() - startedMs) / 1000);
  }
  return {
    part: 'start',
    what:
      `The supervisor with every process and an empty data directory, initdb included, until the page is answered; ` +
      `memory ${REST_MS / 1000} s later without any frames, of each process with all its children, pages that several ` +
      `share counted once in all (Linux). ${long ? 'An hour at ten frames a second, and a fresh clone until its first stored event: installed, built, started.' : 'A fresh clone (install and build) and an hour at ten frames a second are measured with `--long`.'}`,
    measurements: samples.summaries(),
    ratios: [
      atMost('seconds from the command to a live page', samples.median(LIVE), 15),
      shown('MB at rest, all processes', samples.median(AT_REST)),
      ...hour,
      ...(long ? [shown('seconds from a fresh clone to stored events', samples.median(FRESH))] : []),
    ],
  };
}

const LIVE = 'built to live page, empty data directory';
const AT_REST = 'at rest: all processes';
const FRESH = 'fresh clone to stored events (install, build, start)';
