import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import type { MetricDeclaration } from '#lib/protocol/metrics.ts';
import { until } from './control.fixture.ts';
import { readHistory } from './history.ts';
import { Hub } from './hub.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';

const A = { name: 'a', unit: 'ms', help: 'A' };
const B = { name: 'b', unit: 'items', help: 'B' };
const logger = pino({ level: 'silent' });

let dir: string;
let recorder: Recorder;
let sampled: { metrics: MetricDeclaration[]; values: (number | null)[] };
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brownout-recorder-'));
});
afterEach(() => {
  recorder.close();
  rmSync(dir, { recursive: true, force: true });
});

function makeRecorder(options: Partial<RecorderOptions> = {}): Recorder {
  return new Recorder({ dir, logger, sample: () => sampled, everyMs: 20, writeEveryMs: 40, ...options });
}

async function lastOf(name: string, fromMs: number): Promise<number | null | undefined> {
  const now = Date.now();
  return (await recorder.series([name], fromMs, now - fromMs + 1, 1)).get(name)?.[0];
}

describe('Recorder', () => {
  it('gives back samples after a restart, whatever series there are by then', async () => {
    const startedAt = Date.now();
    sampled = { metrics: [A], values: [1.5] };
    recorder = makeRecorder();
    await until(async () => (await lastOf('a', startedAt)) === 1.5);
    recorder.close();
    sampled = { metrics: [B, A], values: [7, null] };
    recorder = makeRecorder();
    await until(async () => (await lastOf('b', startedAt)) === 7);
    expect(await lastOf('a', startedAt)).toBeNull();
    expect(recorder.declaration('a')).toEqual(A);
    const [first] = (await recorder.series(['a'], startedAt - 60_000, 30_000, 1)).get('a') ?? [];
    expect(first).toBeNull();
  });

  it('forgets what is older than it keeps', async () => {
    const clock = new ManualClock();
    const startedAt = clock.now();
    sampled = { metrics: [A], values: [1] };
    recorder = makeRecorder({ clock, keepMs: 10_000 });
    const has = async () => (await recorder.series(['a'], startedAt, 1000, 1)).get('a')?.[0];
    await until(async () => (await has()) === 1);
    clock.advance(11_000);
    await until(async () => (await has()) === null);
  });

  it('puts a file that it cannot read aside and starts a new one', () => {
    writeFileSync(
      join(dir, 'samples.sqlite'),
      'this is not a database, and long enough to be looked at as one',
    );
    sampled = { metrics: [A], values: [1] };
    recorder = makeRecorder();
    expect(readdirSync(dir).some((name) => name.includes('broken'))).toBe(true);
  });
});

describe('readHistory', () => {
  it('joins the record of an earlier run with what the hub has seen', async () => {
    const clock = new ManualClock();
    sampled = { metrics: [A], values: [1] };
    recorder = makeRecorder({ clock });
    const startedAt = clock.now();
    await until(async () => (await recorder.series(['a'], startedAt, 1000, 1)).get('a')?.[0] === 1);
    sampled = { metrics: [], values: [] };
    clock.advance(10_000);
    const hub = new Hub(clock);
    hub.declare('pipeline', [A]);
    hub.frame('pipeline', [2.0004999], 0);
    clock.advance(1000);
    const [series] = await readHistory(
      { hub, recorder, clock },
      { names: ['a'], fromMs: startedAt, stepMs: 1000 },
    );
    expect(series).toMatchObject({ name: 'a', unit: 'ms', startAt: startedAt, stepMs: 1000 });
    expect(series?.values).toEqual([1, ...new Array(9).fill(null), 2]);
    const [early] = await readHistory(
      { hub, recorder, clock },
      { names: ['a'], fromMs: startedAt, toMs: startedAt + 2000, stepMs: 1000 },
    );
    expect(early?.values).toEqual([1, null]);
    const backwards = { names: ['a'], fromMs: startedAt + 2000, toMs: startedAt + 1000 };
    await expect(readHistory({ hub, recorder, clock }, backwards)).rejects.toMatchObject({
      problem: { code: 'INVALID_INPUT', field: 'toMs' },
    });
    await expect(readHistory({ hub, recorder, clock }, { names: ['nope'] })).rejects.toMatchObject({
      problem: { code: 'INVALID_INPUT', field: 'names' },
    });
    const tooFine = { names: ['a'], fromMs: clock.now() - 86_400_000, stepMs: 250 };
    await expect(readHistory({ hub, recorder, clock }, tooFine)).rejects.toMatchObject({
      problem: { field: 'stepMs' },
    });
  });
});
