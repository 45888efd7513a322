import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { AcceptedUpload } from '../../cameras/camera.ts';
import { createCameraFleet } from '../../cameras/camera-fleet.ts';
import { createLogger } from '../../logging.ts';
import { createIntake } from './intake.ts';
import { RecordingSink } from './intake-fixture.ts';
import { uploadIdOfFile } from './upload-id.ts';

const children = new Set<ChildProcess>();
const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const child of children) await kill(child);
  for (const end of endings.splice(0).reverse()) await end();
});

async function startChild(dataDir: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL('./intake-child.ts', import.meta.url), [dataDir, String(port)], {
    execArgv: [],
  });
  children.add(child);
  const [message] = (await once(child, 'message')) as [{ port: number }];
  return { child, port: message.port };
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

it('keeps every upload that it answered for when its process is killed in the middle of uploads', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'brownout-crash-'));
  endings.push(() => rm(dataDir, { recursive: true, force: true }));
  let { child, port } = await startChild(dataDir, 0);
  const fleet = await createCameraFleet({
    dataDir,
    ftp: { host: '127.0.0.1', port },
    count: 4,
    rate: 60,
    profile: 'game-day',
    logger: createLogger('cameras', 'silent'),
    retryMs: 20,
    retryCapMs: 50,
  });
  fleet.start();
  const accepted = () => fleet.report().cameras.reduce((total, camera) => total + camera.accepted, 0);
  for (let life = 0; life < 3; life++) {
    const before = accepted();
    await vi.waitFor(() => expect(accepted()).toBeGreaterThan(before + 6), { timeout: 20_000, interval: 5 });
    await kill(child);
    ({ child, port } = await startChild(dataDir, port));
  }
  await fleet.close();
  await kill(child);

  const sink = new RecordingSink();
  sink.findsDuplicates = false;
  const intake = createIntake({
    dataDir,
    ftp: { host: '127.0.0.1', port: 0 },
    credentials: {},
    profile: 'game-day',
    sink,
    logger: createLogger('intake', 'silent'),
  });
  await intake.start();
  endings.push(() => intake.close());
  const witnessed = (await readFile(join(dataDir, 'cameras', 'accepted.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AcceptedUpload);
  const onRecord = await intake.acceptedIds();
  const inInbox = await intake.inboxIds();
  const files = (await readdir(join(dataDir, 'inbox'))).map(uploadIdOfFile);
  expect(witnessed.length).toBeGreaterThan(18);
  expect(witnessed.filter(({ uploadId }) => !onRecord.has(uploadId ?? ''))).toEqual([]);
  expect(witnessed.filter(({ uploadId }) => !inInbox.has(uploadId ?? ''))).toEqual([]);
  expect(new Set(files)).toEqual(new Set(onRecord.keys())); // neither a record without a file nor the reverse
  expect(onRecord.size - witnessed.length).toBeLessThanOrEqual(4 * 4); // an answer lost, once a life and camera
});
