import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DlqPage } from '#lib/protocol/dead-letters.ts';
import { signalTree } from '#server/supervisor/process-tree.ts';
import { isAlive } from '#tests/support/is-alive.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

type Letter = DlqPage['items'][number];

let system: System;
beforeAll(async () => {
  system = await startSystem({ cameraRate: 8, env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

describe('a dead letter', () => {
  it('written while Redis and PostgreSQL are down survives a kill of everything and is re-driven to its end', async () => {
    await until(
      'work goes on',
      40_000,
      async () => (await system.sql('select 1 from uploads limit 1')).length > 0,
    );
    // The detector blames the frame, after a while: calls that are in hand when both servers go end after that.
    const faults = [
      await system.startFault('yolo26', 'latency', { params: { latencyMs: 700 } }),
      await system.startFault('yolo26', 'server_error', { params: { status: 422 } }),
    ];
    await until('jobs end as dead letters', 20_000, async () => (await letters()).length > 0);
    const hold = { params: { holdMs: 120_000 } };
    faults.push(
      ...(await Promise.all(
        ['redis', 'database'].map((service) => system.startFault(service, 'process_killed', hold)),
      )),
    );
    // When they went, not when it is heard of: by then the calls that were in hand may have ended.
    const bothDownAt = await until('both are down', 15_000, async () => {
      const { supervisor } = await system.state();
      const down = supervisor?.processes.filter(({ state }) => state === 'held') ?? [];
      const names = down.map(({ name }) => name).sort();
      return names.join() === 'database,redis' ? Math.max(...down.map(({ since }) => since)) : undefined;
    });
    const letter = await until('a dead letter is written then', 20_000, async () =>
      (await letters()).find(({ lastFailedAt }) => lastFailedAt > bothDownAt),
    );
    expect(letter).toMatchObject({ queue: 'detection', error: { status: 422 } });
    expect(faults.map(({ id }) => id)).toEqual(expect.arrayContaining(letter.faultIds));
    expect(letter.faultIds).toEqual(expect.arrayContaining(faults.slice(0, 2).map(({ id }) => id)));

    await killEverything();
    expect(recordsOf(letter.id).map(({ op }) => op)).toEqual(['put']);
    system = await system.restart();
    // Redis never heard of the job's end and gives it out again; the letter stays its home.
    const queue = new Queue('detection_queue', { connection: system.wiring.direct.redis });
    await until(
      'that job is done with',
      30_000,
      async () => (await queue.getJob(letter.uploadId ?? '')) === undefined,
    );
    await queue.close();
    expect((await letters()).find(({ id }) => id === letter.id)).toEqual(letter);

    const redrive = await system.api('POST', `/dlq/${letter.id}/redrive`);
    expect(redrive.status).toBe(200);
    await until('its upload is in an event', 30_000, async () => {
      const rows = await system.sql(
        `select 1 from uploads u join event_uploads l using (upload_id) join events e using (event_id)
         where u.upload_id = $1 and u.status = 'stored'`,
        [letter.uploadId],
      );
      return rows.length === 1;
    });
    await until('its record is closed', 15_000, () => recordsOf(letter.id).at(-1)?.op === 'resolved');
    expect(recordsOf(letter.id).map(({ op }) => op)).toEqual(['put', 'redriven', 'resolved']);
    expect((await letters()).some(({ id }) => id === letter.id)).toBe(false);
  });
});

async function letters(): Promise<Letter[]> {
  return (await system.api<DlqPage>('GET', '/dlq?queue=detection')).body.items;
}

/** kill -9 of the supervisor and of all that runs under it. */
async function killEverything(): Promise<void> {
  const { supervisor } = await system.state();
  const pids = [system.supervisorPid, ...(supervisor?.processes ?? []).flatMap(({ pid }) => pid ?? [])];
  signalTree(system.supervisorPid, 'SIGKILL');
  await until('nothing runs', 15_000, () => !pids.some(isAlive));
}

/** What the store's file says about a letter, in order. */
function recordsOf(letterId: string): { op: string }[] {
  return readFileSync(join(system.dataDir, 'dlq', 'letters.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(letterId))
    .map((line) => JSON.parse(line) as { op: string });
}
