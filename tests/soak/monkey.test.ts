import { afterEach, describe, expect, it } from 'vitest';
import { signalTree } from '#server/supervisor/process-tree.ts';
import { recordProof } from '#tests/support/proof.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { accountFor, untilRecovered } from '#tests/support/witness.ts';
import { Monkey, type Strike } from './monkey.ts';
import { STAGES, type Stage } from './monkey-stages.ts';

const FULL = { uploads: 2000, strikes: 30 };
const SEEDS = (process.env['MONKEY_SEEDS'] ?? '20261122,20261123,20261124').split(',').map(Number);
const UPLOADS = Number(process.env['MONKEY_UPLOADS'] ?? FULL.uploads);
const STRIKES = Number(process.env['MONKEY_STRIKES'] ?? FULL.strikes);
/** Three cameras and this many frames a second: more events than these would make are more than one GPU can judge. */
const CAMERAS = 3;
const RATE = Number(process.env['MONKEY_RATE'] ?? 8);
/** The one simulated model judges about one event a second: what thirty strikes have piled up takes minutes. */
const DRAIN_MS = 600_000;

const NOT_ONCE = `select array_agg(name) as names, count(*) filter (where status = 'stored') as stored
  from uploads where accepted_at < $1 group by sha256 having count(*) filter (where status = 'stored') <> 1`;

let system: System | undefined;
afterEach(async () => {
  await system?.close();
  system = undefined;
});

describe(`a monkey: ${UPLOADS} uploads, ${STRIKES} kills and pauses`, () => {
  it.each(SEEDS)('with seed %i nothing is lost and nothing doubled', async (seed) => {
    const startedAt = new Date().toISOString();
    const startedMs = performance.now();
    system = await startSystem({
      cameraRate: RATE,
      env: { CAMERA_COUNT: String(CAMERAS) },
    });
    const running = system;
    const { sql, accepted } = shortcuts(running);
    await until('work goes on', 40_000, async () => (await sql('select 1 from events limit 1')).length > 0);
    const monkey = new Monkey(system, { seed, strikes: STRIKES, onStrike: tell });
    try {
      await monkey.play();
    } finally {
      await monkey.close();
    }
    await until(`${UPLOADS} uploads are accepted`, 600_000, () => accepted().length >= UPLOADS, 500);
    const histogram = histogramOf(monkey.strikes);
    const text = STAGES.map((stage) => `${stage.padEnd(30)} ${bar(histogram[stage].strikes)}`).join('\n');
    process.stdout.write(`monkey, seed ${seed}: ${monkey.blows} kills and pauses\n${text}\n`);
    const cameras = (await system.state()).supervisor?.processes.find(({ name }) => name === 'cameras')?.pid;
    if (!cameras) throw new Error('the cameras have no process');
    signalTree(cameras, 'SIGSTOP'); // else they send as much as the model can judge, and the backlog stays
    const stoppedAt = Date.now();
    try {
      await untilRecovered(system, undefined, DRAIN_MS).catch(async (error: unknown) => {
        process.stdout.write(`${await whatIsLeft(running)}\n`);
        throw error;
      });
    } finally {
      signalTree(cameras, 'SIGCONT');
    }
    const accounts = await accountFor(system, stoppedAt);
    // A camera that did not hear the answer sends its frame again: the content is stored once all the same.
    const notOnce = await until('each content is stored once', 30_000, async () => {
      const found = await sql<{ names: string[]; stored: string }>(NOT_ONCE, [new Date(stoppedAt)]);
      if (found.length > 0) throw new Error(JSON.stringify(found));
      return found;
    });
    const [again] = await sql<{ count: string }>("select count(*) from uploads where status = 'duplicate'");
    const ledger = (await system.state()).pipeline?.ledger;

    const result = {
      what: `${monkey.blows} kills and pauses of pipeline, inference, Redis, PostgreSQL and proxy under load`,
      startedAt,
      seed,
      durationMs: Math.round(performance.now() - startedMs),
      cameras: CAMERAS,
      framesPerSecond: RATE,
      uploads: accounts.accepted,
      lost: accounts.homeless,
      doubled: accounts.doubled,
      eventless: accounts.eventless,
      contentsNotStoredOnce: notOnce,
      sentAgainAndFoundDuplicate: Number(again?.count),
      ledger,
      blows: blowsOf(monkey.strikes),
      histogram,
      strikes: monkey.strikes,
    };
    if (UPLOADS >= FULL.uploads && STRIKES >= FULL.strikes) recordProof('monkey', `seed${seed}`, result);
    else process.stdout.write(`${JSON.stringify({ ...result, strikes: undefined }, null, 1)}\n`);

    expect([accounts.homeless, accounts.doubled, accounts.eventless]).toEqual([[], [], []]);
    expect([ledger?.lost, ledger?.doubled]).toEqual([0, 0]);
    expect(accounts.accepted).toBeGreaterThanOrEqual(UPLOADS);
    expect(monkey.blows).toBeGreaterThanOrEqual(STRIKES);
    const empty = STAGES.filter((stage) => histogram[stage].strikes === 0);
    if (STRIKES >= FULL.strikes) expect(empty).toEqual([]);
  });
});

function shortcuts(running: System) {
  return { sql: running.sql.bind(running), accepted: running.accepted.bind(running) };
}

function tell({ atMs, wanted, victims, hit, huntedMs, idleMs }: Strike): void {
  const blows = victims.map(
    ({ victim, act, pausedMs }) => `${act} ${victim}${pausedMs ? ` ${pausedMs} ms` : ''}`,
  );
  process.stdout.write(
    `${(atMs / 1000).toFixed(1)} s: ${blows.join(', ')} at "${wanted}" (${hit[wanted] ?? 0}), hunted ${huntedMs} ms, work went on after ${idleMs} ms\n`,
  );
}

/** For a person who wants to know why it did not come to rest: queues, and the log of the oldest frame without an event. */
async function whatIsLeft(running: System): Promise<string> {
  const { pipeline, mode } = await running.state();
  const [oldest] = await running.sql<{ upload_id: string }>(
    `select upload_id from detections d where not exists
       (select from event_uploads e where e.upload_id = d.upload_id) order by upload_id limit 1`,
  );
  const lines = running.log('pipeline').map((line) => JSON.stringify(line));
  const ofOldest = lines.filter((line) => oldest && line.includes(oldest.upload_id));
  const batchIds = ofOldest.flatMap((line) => JSON.parse(line).batchId ?? []);
  const ofBatch = lines.filter((line) => batchIds.some((id) => line.includes(id)));
  return [JSON.stringify({ mode, queues: pipeline?.queues }), ...ofOldest, ...ofBatch].join('\n');
}

/** For each stage: blows that met something in it, by whom they hit, and how much they met in all. */
function histogramOf(strikes: readonly Strike[]) {
  const of = (stage: Stage) => {
    const met = strikes.filter(({ hit }) => (hit[stage] ?? 0) > 0);
    const byVictim: Record<string, number> = {};
    for (const { victims } of met)
      for (const { victim } of victims) byVictim[victim] = (byVictim[victim] ?? 0) + 1;
    const items = met.reduce((sum, { hit }) => sum + (hit[stage] ?? 0), 0);
    return { strikes: met.length, items, byVictim };
  };
  return Object.fromEntries(STAGES.map((stage) => [stage, of(stage)])) as Record<
    Stage,
    ReturnType<typeof of>
  >;
}

function blowsOf(strikes: readonly Strike[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { victim, act } of strikes.flatMap(({ victims }) => victims)) {
    counts[`${act} ${victim}`] = (counts[`${act} ${victim}`] ?? 0) + 1;
  }
  return counts;
}

const bar = (count: number) => `${'#'.repeat(count)} ${count}`;
