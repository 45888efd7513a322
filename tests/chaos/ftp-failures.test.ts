import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { deadLetterId } from '#lib/chaos/dead-letters/dead-letter.ts';
import { faultMark } from '#lib/chaos/faults/fault.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { unprivilegedUser } from '#server/embedded/run-as.ts';
import { cameraName, loadCredentials } from '#server/pipeline/intake/credentials.ts';
import { makeFrame, PlainFtp } from '#server/pipeline/intake/intake-fixture.ts';
import { INTAKE_DEFAULTS } from '#server/pipeline/intake/intake-options.ts';
import { ROOT, type System, startSystem, systemEnvironment } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { deadLetters, quarantined } from '#tests/support/witness.ts';
import { calmScenariosOf, logSince, makeFolder, reportOf, untilLogHas } from './real-parts.ts';

const { stableMs, uploadTimeoutMs, retryMs } = INTAKE_DEFAULTS.test;
const SEEN_MS = 15_000;
/** An account that no camera of the system uses. */
const CAMERA = cameraName(9);

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
  await until('frames are taken', 30_000, () => system.accepted().length > 0);
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('ftp-failures', () => system);

/** A camera of the test's own, that does exactly what it is told, through the proxy. */
async function connect(): Promise<PlainFtp> {
  const credentials = await loadCredentials(system.dataDir);
  const client = await PlainFtp.connect(system.wiring.proxied.ftp.port);
  onTestFinished(() => client.close());
  await client.command(`USER ${CAMERA}`);
  expect(await client.command(`PASS ${credentials[CAMERA]}`)).toMatch(/^230 /);
  return client;
}

/** The id in a positive answer. */
function idIn(reply: string): string {
  expect(reply).toMatch(/^2\d\d .*Accepted as [0-9A-Z]{26}/);
  return /[0-9A-Z]{26}/.exec(reply)?.[0] ?? '';
}

/** Uploads as cameras do; gives the id. */
const upload = async (name: string, bytes: Buffer) => idIn(await (await connect()).upload(name, bytes));

interface Row {
  upload_id: string;
  name: string;
  status: string;
  size_bytes: string;
  duplicate_of: string | null;
  detection: string | null;
  events: number;
}

const rowsOf = (field: 'upload_id' | 'name', value: string) =>
  system.sql<Row>(
    `select u.*, d.detection, (select count(*)::int from event_uploads e where e.upload_id = u.upload_id) as events
       from uploads u left join detections d using (upload_id) where u.${field} = $1`,
    [value],
  );

const untilStored = (id: string) =>
  until(`upload ${id} is stored`, SEEN_MS, async () => {
    const [row] = await rowsOf('upload_id', id);
    return row?.status === 'stored' ? row : undefined;
  });

/** A whole frame gets through, from FTP to its row. */
async function takesFrames(name = `after-${crypto.randomUUID()}.jpg`): Promise<void> {
  const bytes = await makeFrame();
  const id = await until('a frame is accepted', SEEN_MS, () => upload(name, bytes));
  await untilStored(id);
}

type Held = Awaited<ReturnType<typeof untilHeld>>;

/** A file that came to quarantine under this fault, with its dead letter. */
async function untilHeld(fault: Fault, code: string, isIt: (name: string, id: string | null) => boolean) {
  return until(`a file is in quarantine as ${code}`, SEEN_MS, async () => {
    const sidecar = quarantined(system).find(
      (each) => each.quarantinedAt >= fault.startedAt && isIt(each.name, each.uploadId),
    );
    if (!sidecar) return undefined;
    expect(sidecar.code, sidecar.message).toBe(code);
    const letter = (await deadLetters(system)).find(({ id }) => id === deadLetterId(sidecar.key));
    return letter ? { ...sidecar, letter, bytes: await readFile(sidecar.path) } : undefined;
  });
}

const untilHeldUpload = (fault: Fault, code: string, uploadId: string) =>
  untilHeld(fault, code, (_name, id) => id === uploadId);

/** Ids of uploads that were scheduled for detection. */
const queuedSince = (fault: Fault) => logOf(fault, 'detection queued').map((record) => record['uploadId']);

/** The dead letter says what happened and under which fault; nothing was scheduled for the file. */
async function expectRejected({ letter, code, uploadId, name, path }: Held, fault: Fault): Promise<void> {
  expect(letter).toMatchObject({
    queue: 'upload',
    uploadId,
    error: { code },
    faultIds: [fault.id],
    payload: { name },
  });
  expect(queuedSince(fault)).not.toContain(uploadId);
  expect(await rowsOf('upload_id', uploadId ?? '')).toEqual([]);
  if (uploadId) expect(existsSync(path.replace('/quarantine/', '/inbox/'))).toBe(false);
}

/** The try at the same frame that succeeded; the file in quarantine, a part of it, is linked to it. */
async function untilSentAgain({ name, key, bytes }: Held): Promise<void> {
  const again = await until(`${name} was sent again`, SEEN_MS, () =>
    system.accepted().find((each) => each.name === name),
  );
  expect(bytes.length).toBeGreaterThan(0);
  expect(bytes.length).toBeLessThan(again.sizeBytes);
  await untilStored(again.uploadId ?? '');
  await until('the part and its dead letter are linked to it', SEEN_MS, async () => {
    const sidecar = quarantined(system).find((each) => each.key === key);
    const letter = (await deadLetters(system)).find(({ id }) => id === deadLetterId(key));
    return (sidecar?.resentAs === again.uploadId && letter?.resentAs === again.uploadId) || undefined;
  });
}

/** Some come with the very arming of the fault, before its start is told. */
const alertsSince = async ({ startedAt }: Fault, code: string) =>
  (await system.facts()).flatMap((fact) =>
    fact.type === 'alert' && fact.at >= startedAt && fact.data.code === code ? [fact.data] : [],
  );

const untilAlert = (fault: Fault, code: string) =>
  until(`the alert ${code}`, SEEN_MS, async () => {
    const alerts = await alertsSince(fault, code);
    return alerts.length > 0 ? alerts : undefined;
  });

const logOf = (fault: Fault, message: string) =>
  logSince(system, fault.startedAt).filter((record) => record['msg'] === message);

/** Names of what lies in a folder of the data directory. */
const filesIn = (folder: string) => readdir(join(system.dataDir, folder));

/** Bytes that have arrived of an upload. */
async function arriving(name: string): Promise<number> {
  const file = (await filesIn('incoming')).find((each) => each.endsWith(`~${CAMERA}~${name}`));
  if (file === undefined) return 0;
  const found = await stat(join(system.dataDir, 'incoming', file)).catch(() => undefined);
  return found?.size ?? 0;
}

async function untilRefused(code: number): Promise<void> {
  await until(`cameras are refused with ${code}`, SEEN_MS, async () => {
    const { cameras } = await system.state();
    return cameras?.cameras.some(({ lastError }) => lastError?.startsWith(String(code)));
  });
}

describe('ftp failures', () => {
  scenario('upload-timeout-moves-to-dlq', async (prove) => {
    const fault = await system.startFault('ftp', 'upload_timeout', { failFirst: 1 });
    let held: Held;
    await prove({
      faults: fault,
      behaviour: async () => {
        held = await untilHeld(fault, 'UPLOAD_TIMEOUT', () => true);
        await expectRejected(held, fault);
        expect(held).toMatchObject({ uploadId: null, message: `no bytes for ${uploadTimeoutMs} ms` });
        // Its camera sends it again at once: that file is there for as long as it takes.
        await until('no half is left behind', SEEN_MS, async () =>
          (await filesIn('incoming')).every((name) => !name.includes(held.name)),
        );
      },
      recovery: () => untilSentAgain(held),
    });
  });

  scenario('repeated-upload-timeout-triggers-alert', async (prove) => {
    const fault = await system.startFault('ftp', 'upload_timeout');
    const halves = () => quarantined(system).filter((each) => each.quarantinedAt >= fault.startedAt);
    await prove({
      faults: fault,
      behaviour: async () => {
        const [alert] = await untilAlert(fault, 'UPLOAD_TIMEOUTS');
        expect(alert).toMatchObject({ service: 'ftp', count: 5, text: '5 uploads in a row timed out' });
        const told = { code: 'UPLOAD_TIMEOUTS', count: 5 };
        await untilLogHas(system, fault.startedAt, expect.objectContaining(told));
        await until('each is in quarantine', SEEN_MS, () => halves().length >= 5);
        expect(new Set(halves().map(({ code }) => code))).toEqual(new Set(['UPLOAD_TIMEOUT']));
      },
      recovery: async () => {
        await until('every frame was sent again', SEEN_MS, () =>
          halves().every(({ resentAs }) => resentAs !== undefined),
        );
        await takesFrames();
      },
    });
  });

  scenario('incomplete-image-validation-fails', async (prove) => {
    const fault = await system.startFault('ftp', 'incomplete_upload', {
      params: { mode: 'fin' },
      failFirst: 1,
    });
    let half: Held;
    await prove({
      faults: fault,
      behaviour: async () => {
        half = await untilHeld(fault, 'UPLOAD_TIMEOUT', () => true); // never renamed: its camera compared the size
        // A camera that does not compare: FTP calls the same half a success.
        const id = idIn(await (await connect()).store('truncated.jpg', half.bytes));
        const held = await untilHeldUpload(fault, 'CORRUPT_IMAGE', id);
        await expectRejected(held, fault);
        expect(held.bytes.equals(half.bytes)).toBe(true);
        expect(held.message).toMatch(/premature end|truncated|EOF/i);
      },
      recovery: async () => {
        await untilSentAgain(half);
        await takesFrames();
      },
    });
  });

  scenario('partial-write-detected-via-size-check', async (prove) => {
    const fault = await system.startFault('ftp', 'incomplete_upload', { failFirst: 1 });
    let half: Held;
    await prove({
      faults: fault,
      behaviour: async () => {
        half = await untilHeld(fault, 'INCOMPLETE_UPLOAD', (_name, id) => id === null);
        await expectRejected(half, fault);
        const id = idIn(await (await connect()).store('empty.jpg', Buffer.alloc(0)));
        const held = await untilHeldUpload(fault, 'TOO_SMALL', id);
        await expectRejected(held, fault);
        expect(held).toMatchObject({ sizeBytes: 0, message: '0 bytes, at least 10240' });
      },
      recovery: () => untilSentAgain(half),
    });
  });

  scenario('still-being-written-file-debounced', async (prove) => {
    const fault = await system.startFault('network', 'bandwidth', {
      params: { rateKibPerSecond: 16, services: ['ftp'] },
    });
    const accepted = (name: string) => logOf(fault, 'upload accepted').find((each) => each['name'] === name);
    /** Uploads a frame; somebody copies what has arrived so far into the inbox, as slowly as it comes. */
    const copySlowly = async (attempt: number) => {
      const frame = await makeFrame();
      const [name, copyName] = [`slow-${attempt}.jpg`, `copied-by-hand-${attempt}.jpg`];
      const copy = join(system.dataDir, 'inbox', copyName);
      const client = await connect();
      const reply = client.store(name, frame);
      let copied = 0;
      let changedAt = 0;
      let restedMs = 0;
      const sizes = new Set<number>();
      await until(
        'the last byte is there',
        SEEN_MS,
        async () => {
          const here = accepted(name) ? frame.length : await arriving(name);
          const arrived = Math.max(copied, here); // for a moment it is in neither place
          if (arrived > copied) {
            const begunAt = Date.now(); // the write lies between here and its answer, which may come late
            await appendFile(copy, frame.subarray(copied, arrived));
            if (copied > 0) restedMs = Math.max(restedMs, Date.now() - changedAt);
            changedAt = begunAt;
          }
          copied = arrived;
          sizes.add(arrived);
          return copied === frame.length;
        },
        20,
      );
      return { frame, copyName, changedAt, restedMs, sizes, id: idIn(await reply) };
    };
    let copied: Awaited<ReturnType<typeof copySlowly>>;
    await prove({
      faults: fault,
      behaviour: async () => {
        copied = await copySlowly(1);
        // Had it rested for so long, as on a busy machine, it would rightly have been taken before its end.
        for (let attempt = 2; copied.restedMs >= stableMs - 50 && attempt <= 4; attempt++)
          copied = await copySlowly(attempt);
        const { frame, copyName, changedAt, sizes, id } = copied;
        expect(sizes.size).toBeGreaterThan(5);
        const direct = await untilStored(id);
        expect(Number(direct.size_bytes)).toBe(frame.length);
        const taken = await until('the copy was taken', SEEN_MS, () => accepted(copyName));
        expect(taken['sizeBytes']).toBe(frame.length);
        expect(Date.parse(String(taken['time'])) - changedAt).toBeGreaterThan(stableMs - 10);
      },
      recovery: async () => {
        const [row] = await until('the copy has its row', SEEN_MS, async () => {
          const rows = await rowsOf('name', copied.copyName);
          return rows.length > 0 ? rows : undefined;
        });
        expect(row).toMatchObject({ status: 'duplicate', size_bytes: String(copied.frame.length) });
        await takesFrames();
      },
    });
  });

  scenario('corrupted-jpeg-handled-gracefully', async (prove) => {
    const pid = await system.pid('pipeline');
    const fault = await system.startFault('ftp', 'corrupted_file', { failFirst: 1 });
    await prove({
      faults: fault,
      behaviour: async () => {
        const held = await untilHeld(fault, 'CORRUPT_IMAGE', (name) => name.endsWith('-corrupted.jpg'));
        await expectRejected(held, fault);
        const frame = system.accepted().find(({ name }) => name === held.name.replace('-corrupted', ''));
        expect((await untilStored(frame?.uploadId ?? '')).detection).toBe('done');
      },
      recovery: async () => {
        await takesFrames();
        expect(await system.pid('pipeline')).toBe(pid);
      },
    });
  });

  scenario('corrupted-video-detection-fails-gracefully', async (prove) => {
    const pid = await system.pid('pipeline');
    const fault = await system.startFault('ftp', 'corrupted_file', {
      params: { content: 'video' },
      failFirst: 1,
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        const held = await untilHeld(fault, 'CORRUPT_VIDEO', (name) => name.endsWith('-corrupted.mp4'));
        await expectRejected(held, fault);
        expect(held.message).toMatch(/^box "mdat" says \d+ bytes, \d+ are there$/);
        // The same file with the bytes that it says are there is kept as media.
        const [, says = '', there = ''] = /says (\d+) bytes, (\d+)/.exec(held.message) ?? [];
        const whole = Buffer.concat([held.bytes, Buffer.alloc(Number(says) - Number(there))]);
        expect((await untilStored(await upload('whole.mp4', whole))).detection).toBe('not_run');
      },
      recovery: async () => {
        await takesFrames();
        expect(await system.pid('pipeline')).toBe(pid);
      },
    });
  });

  scenario('disk-full-during-file-copy-logged', async (prove) => {
    const frame = await makeFrame();
    const half = Math.floor(frame.length / 2);
    const client = await connect();
    const data = await client.beginStore('copy.jpg.part');
    data.write(frame.subarray(0, half));
    let sent = half;
    const send = setInterval(() => data.write(frame.subarray(sent, ++sent)), 20); // never silent
    onTestFinished(() => clearInterval(send));
    await until('half of it has arrived', SEEN_MS, async () => (await arriving('copy.jpg.part')) >= half);
    const fault = await system.startFault('ftp', 'disk_full');
    let held: Held;
    const seen = () => system.accepted().length;
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await client.reply()).toBe(`452 Insufficient storage space ${faultMark(fault.id)}`);
        clearInterval(send);
        held = await untilHeld(fault, 'DISK_FULL', (name) => name === 'copy.jpg');
        await expectRejected(held, fault);
        expect(held.bytes.length).toBeGreaterThanOrEqual(half);
        const told = { msg: 'upload could not be stored', err: expect.objectContaining({ code: 'ENOSPC' }) };
        await untilLogHas(system, fault.startedAt, expect.objectContaining(told));
        expect(await untilAlert(fault, 'DISK_FULL')).toHaveLength(1);
        await untilRefused(452);
        const before = seen();
        await expect(client.beginStore('next.jpg.part')).rejects.toThrow(/^452 /);
        expect(seen()).toBe(before);
      },
      recovery: async () => {
        const id = await upload('copy.jpg', frame);
        await untilStored(id);
        await until('the part is linked to it', SEEN_MS, () =>
          quarantined(system).some(({ key, resentAs }) => key === held.key && resentAs === id),
        );
        await until('no camera waits', SEEN_MS, async () =>
          (await system.state()).cameras?.cameras.every(({ pending }) => pending === 0),
        );
        for (const camera of [cameraName(0), cameraName(1), cameraName(2), cameraName(3)]) {
          const sequences = system
            .accepted()
            .flatMap((each) => (each.camera === camera ? [each.sequence] : []));
          const frames = [...new Set(sequences)];
          expect(frames).toEqual(frames.map((_, index) => index)); // not one was left out
        }
      },
    });
  });

  scenario('low-disk-space-warning-triggered', async (prove) => {
    const low = () => system.startFault('ftp', 'disk_full', { params: { freeRatio: 0.05 } });
    const fault = await low();
    await prove({
      faults: fault,
      behaviour: async () => {
        const text = 'disk space is low (5.0 % free)';
        expect(await untilAlert(fault, 'DISK_LOW')).toEqual([expect.objectContaining({ count: 1, text })]);
        const told = { msg: text, freeRatio: 0.05 };
        await untilLogHas(system, fault.startedAt, expect.objectContaining(told));
        await takesFrames();
        expect(await alertsSince(fault, 'DISK_FULL')).toEqual([]);
      },
      recovery: async () => {
        await takesFrames();
        await untilAlert(await low(), 'DISK_LOW'); // there was space meanwhile, so it is told anew
      },
    });
  });

  scenario('unreadable-file-permission-denied', async (prove) => {
    const fault = await system.startFault('ftp', 'permission_denied', {
      params: { step: 'read' },
      match: { file: 'unreadable' },
    });
    const id = await upload('unreadable.jpg', await makeFrame());
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await untilAlert(fault, 'UPLOAD_STUCK')).toMatchObject([{ service: 'ftp', count: 5 }]);
        const tries = await until('five tries are logged', SEEN_MS, () => {
          const all = logOf(fault, 'upload not handed over, to be tried again');
          const own = all.filter((each) => each['uploadId'] === id).slice(0, 5);
          return own.length === 5 ? own : undefined;
        });
        expect(tries.map(({ attempts, delayMs }) => [attempts, delayMs])).toEqual(
          [1, 2, 3, 4, 5].map((attempt) => [attempt, retryMs * 2 ** (attempt - 1)]),
        );
        for (const each of tries)
          expect(each).toMatchObject({ err: expect.objectContaining({ code: 'EACCES' }) });
        await takesFrames(); // the others are not held up
        expect(await filesIn('inbox')).toContain(`${id}.jpg`);
        expect(await rowsOf('upload_id', id)).toEqual([]);
      },
      recovery: async () => {
        expect((await untilStored(id)).detection).toBe('done');
      },
    });
  });

  scenario('directory-permission-denied-stops-watcher', async (prove) => {
    const fault = await system.startFault('ftp', 'permission_denied');
    const dataDir = await makeFolder();
    const inbox = join(dataDir, 'inbox');
    await loadCredentials(dataDir);
    await mkdir(inbox);
    const user = unprivilegedUser(); // root may read everything, so the process is another user's then
    const names = ['.', 'inbox', 'credentials.json'];
    if (user) for (const name of names) await chown(join(dataDir, name), user.uid, user.gid);
    const start = () => {
      const rights = user ? [String(user.uid), String(user.gid)] : [];
      const child = fork('server/pipeline/intake/intake-child.ts', [dataDir, '0', ...rights], {
        cwd: ROOT,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      let error = '';
      child.stderr?.on('data', (bytes: Buffer) => (error += bytes.toString()));
      onTestFinished(() => void child.kill('SIGKILL'));
      const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, error }));
      const started = once(child, 'message').then(([{ port }]) => ({ port: port as number }));
      started.catch(() => {}); // it may end first
      return Promise.race([started, ended]);
    };
    await prove({
      faults: fault,
      behaviour: async () => {
        await chmod(inbox, 0o000);
        expect(await start()).toEqual({ code: 1, error: expect.stringContaining('EACCES') });
        // The one that runs takes nothing that it cannot keep.
        const refused = `451 The upload could not be stored ${faultMark(fault.id)}`;
        await expect((await connect()).beginStore('x.jpg.part')).rejects.toThrow(refused);
        // It is told anew when an upload that was under way has been accepted meanwhile.
        const [alert] = await untilAlert(fault, 'UPLOAD_STORAGE');
        expect(alert).toMatchObject({ service: 'ftp' });
        await untilRefused(451);
      },
      recovery: async () => {
        await chmod(inbox, 0o755);
        expect(await start()).toEqual({ port: expect.any(Number) });
        await takesFrames();
      },
    });
  });

  scenario('file-deleted-before-validation', async (prove) => {
    const before = (await reportOf(system)).ledger.dropped;
    const fault = await system.startFault('ftp', 'file_deleted', { ratio: 1, match: { file: 'doomed' } });
    await prove({
      faults: fault,
      behaviour: async () => {
        const id = await upload('doomed.jpg', await makeFrame());
        expect(await untilAlert(fault, 'UPLOAD_DELETED')).toMatchObject([
          { service: 'ftp', text: 'doomed.jpg was deleted from the inbox before it was read' },
        ]);
        expect(await droppedReason(id)).toBe(`file deleted by a fault ${faultMark(fault.id)}`);
        await takesFrames();
        expect(await rowsOf('upload_id', id)).toEqual([]);
        expect(await filesIn('inbox')).not.toContain(`${id}.jpg`);
        await until('the ledger counts it', SEEN_MS, async () => {
          return (await reportOf(system)).ledger.dropped === before + 1;
        });
      },
      recovery: () => takesFrames('doomed-no-more.jpg'),
    });
  });

  scenario('file-deleted-during-upload-retry-handled', async (prove) => {
    const match = { file: 'vanishing' };
    const locked = await system.startFault('ftp', 'permission_denied', { params: { step: 'read' }, match });
    const id = await upload('vanishing.jpg', await makeFrame());
    const tries = () =>
      logOf(locked, 'upload not handed over, to be tried again').filter((each) => each['uploadId'] === id);
    await until('it is being tried again', SEEN_MS, () => tries().length >= 2);
    const deleted = await system.startFault('ftp', 'file_deleted', { ratio: 1, match });
    await prove({
      faults: [locked, deleted],
      behaviour: async () => {
        await untilAlert(deleted, 'UPLOAD_DELETED');
        expect(await droppedReason(id)).toBe(`file deleted by a fault ${faultMark(deleted.id)}`);
        const ends = () => logOf(deleted, 'upload deleted by a fault');
        await until('its end is logged', SEEN_MS, () => ends().length > 0);
        const count = tries().length;
        const last = tries().at(-1);
        const nextAt = Date.parse(String(last?.['time'])) + 2 * Number(last?.['delayMs']) + 1000;
        await until('another try would be due', SEEN_MS, () => Date.now() > nextAt);
        await takesFrames();
        expect(tries()).toHaveLength(count);
        expect(ends()).toHaveLength(1);
        expect(await filesIn('inbox')).not.toContain(`${id}.jpg`);
      },
      recovery: () => takesFrames('vanishing-no-more.jpg'),
    });
  });

  scenario('unsupported-file-extension-skipped', async (prove) => {
    const fault = await system.startFault('ftp', 'invalid_format', { failFirst: 1 });
    await prove({
      faults: fault,
      behaviour: async () => {
        const text = await untilHeld(fault, 'UNSUPPORTED_FORMAT', (name) => name.endsWith('.txt'));
        await expectRejected(text, fault);
        const id = await upload(
          'report.pdf',
          Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(20_000)]),
        );
        const held = await untilHeldUpload(fault, 'UNSUPPORTED_FORMAT', id);
        await expectRejected(held, fault);
        expect(held.message).toBe('.pdf is not taken');
      },
      recovery: () => takesFrames(),
    });
  });

  scenario('text-file-with-image-extension-rejected', async (prove) => {
    const fault = await system.startFault('ftp', 'invalid_format', {
      params: { disguise: true },
      failFirst: 1,
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        const held = await untilHeld(fault, 'CORRUPT_IMAGE', (name) => name.endsWith('-format.jpg'));
        await expectRejected(held, fault);
        expect(held.bytes.toString('utf8', 0, 40)).toMatch(/is no picture\n/);
      },
      recovery: () => takesFrames(),
    });
  });

  scenario('oversized-image-rejected', async (prove) => {
    const fault = await system.startFault('ftp', 'oversized_file', { ratio: 1, match: { file: 'cam-01' } });
    await prove({
      faults: fault,
      behaviour: async () => {
        const held = await untilHeld(fault, 'TOO_LARGE', (_name, id) => id !== null);
        await expectRejected(held, fault);
        expect(held.bytes.length).toBe(51 * 2 ** 20);
      },
      recovery: () => takesFrames(),
    });
  });

  scenario('duplicate-file-hash-prevents-reprocessing', async (prove) => {
    const fault = await system.startFault('ftp', 'duplicate_upload', { failFirst: 1 });
    await prove({
      faults: fault,
      behaviour: async () => {
        const copy = await until('the copy is accepted', SEEN_MS, () =>
          system
            .accepted()
            .find(({ name, acceptedAt }) => name.endsWith('-duplicate.jpg') && acceptedAt >= fault.startedAt),
        );
        const frame = system.accepted().find(({ name }) => name === copy.name.replace('-duplicate', ''));
        expect(frame?.sha256).toBe(copy.sha256);
        const original = await untilStored(frame?.uploadId ?? '');
        expect(original.detection).toBe('done');
        const [row] = await until('the copy has its row', SEEN_MS, async () => {
          const rows = await rowsOf('upload_id', copy.uploadId ?? '');
          return rows.length > 0 ? rows : undefined;
        });
        expect(row).toMatchObject({
          status: 'duplicate',
          duplicate_of: original.upload_id,
          detection: null,
          events: 0,
        });
        // It may have been queued before the fault that doubled it.
        await until('the original is queued', SEEN_MS, () =>
          logSince(system, fault.startedAt - 10_000).some(
            ({ msg, uploadId }) => msg === 'detection queued' && uploadId === original.upload_id,
          ),
        );
        expect(queuedSince(fault)).not.toContain(copy.uploadId);
        await until('its file is gone', SEEN_MS, async () => {
          return !(await filesIn('inbox')).includes(`${copy.uploadId}.jpg`);
        });
      },
      recovery: () => takesFrames(),
    });
  });

  scenario('race-condition-same-file-multiple-watchers', async (prove) => {
    const held = await system.startFault('yolo26', 'server_error'); // what is handed over waits
    const id = await upload('shared.jpg', await makeFrame());
    const handedOver = () => logOf(held, 'upload submitted').filter((each) => each['uploadId'] === id).length;
    await until('the first watcher has handed it over', SEEN_MS, () => handedOver() === 1);
    await until('its work has begun', SEEN_MS, async () =>
      (await system.state()).faults.some(({ id: faultId, hits }) => faultId === held.id && hits > 0),
    );
    const killed = await system.startFault('pipeline', 'process_killed');
    await prove({
      faults: [held, killed],
      behaviour: async () => {
        // Whoever starts another watcher on the same data is refused, also now.
        const twin = spawn(process.execPath, ['server/supervisor/main.ts'], {
          cwd: ROOT,
          env: (await systemEnvironment(system.dataDir)) as NodeJS.ProcessEnv,
          stdio: 'ignore',
        });
        const [code] = await once(twin, 'exit');
        expect(code).toBe(2);
        expect(await filesIn('inbox')).toContain(`${id}.jpg`);
      },
      recovery: async () => {
        // The next watcher finds the file of the first one, whose job is in the queue.
        await until('it has handed it over as well', SEEN_MS, () => handedOver() === 2);
        expect((await untilStored(id)).detection).toBe('done');
        expect(await rowsOf('name', 'shared.jpg')).toHaveLength(1);
        // A camera whose answer the kill cut off sends its frame again: that one is a duplicate.
        const duplicates = logOf(held, 'upload is a duplicate').map((record) => record['uploadId']);
        expect(duplicates).not.toContain(id);
      },
    });
  });
});

/** Why an upload was given up, by the list of those that were. */
async function droppedReason(id: string): Promise<string | undefined> {
  const text = await readFile(join(system.dataDir, 'dlq', 'dropped.jsonl'), 'utf8').catch(() => '');
  const line = text.split('\n').find((each) => each.includes(id));
  return line === undefined ? undefined : (JSON.parse(line) as { reason: string }).reason;
}
