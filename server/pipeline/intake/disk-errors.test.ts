/** What the file system itself refuses must be answered as the faults of the same name are, and nothing is lost by it. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, type TestContext, vi } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { findProgram, unprivilegedUser } from '../../embedded/run-as.ts';
import { loadCredentials } from './credentials.ts';
import { probeDisk } from './disk-space.ts';
import type { Account } from './intake-child.ts';
import { type Bench, CAMERA, makeBench, makeFrame, PlainFtp } from './intake-fixture.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const PATIENT = { timeout: 10_000, interval: 20 };

/** An intake whose file system can be made to refuse. */
interface Store {
  readonly dataDir: string;
  login(): Promise<PlainFtp>;
  alerts(): Promise<{ code: string; count: number }[]>;
  submitted(): Promise<string[]>;
  refuse(): Promise<void>;
  mend(): Promise<void>;
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'brownout-disk-'));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function onBench(bench: Bench): Pick<Store, 'dataDir' | 'login' | 'alerts' | 'submitted'> {
  endings.push(() => bench.close());
  return {
    dataDir: bench.dataDir,
    login: () => bench.login(),
    alerts: async () => bench.sink.alerts,
    submitted: async () => bench.sink.submitted.map(({ id }) => id),
  };
}

/** By the fault of the catalogue. */
async function injected(type: string, params: object = {}): Promise<Store> {
  const injector: FaultInjector = new FaultInjector({
    effect: {
      arm: () => bench.intake.refreshDisk(),
      change: () => {},
      end: () => bench.intake.refreshDisk(),
    },
  });
  const bench = await makeBench({ injector, diskProbeMs: 60_000 });
  return {
    ...onBench(bench),
    refuse: () =>
      injector.arm({
        id: 'f1',
        version: 1,
        service: 'ftp',
        type,
        params: validateFault('ftp', type, params).params,
        ratio: 1,
        seed: 5,
        ttlMs: 60_000,
      }),
    mend: async () => void (await injector.end('f1', 'stopped')),
  };
}

/** Bytes that are left to the intake on the full disk. */
const LEFT_BYTES = 4 * 1024;
const DISK_MIB = 8;

/** By a disk that is full: the data directory is a file system of its own, which a large file fills. */
async function realDisk(context: TestContext, leftBytes = 0): Promise<Store & { bench: Bench }> {
  const [mount, umount] = [findProgram('mount'), findProgram('umount')];
  if (!mount || !umount) context.skip('no program to mount a file system with');
  const dataDir = await newFolder();
  try {
    execFileSync(mount, ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'brownout-test', dataDir], {
      stdio: 'pipe',
    });
  } catch (error) {
    context.skip(`no file system can be mounted here: ${(error as Error).message.trim()}`);
  }
  const unmount = () => execFileSync(umount, ['-l', dataDir]);
  process.once('exit', unmount);
  endings.push(() => {
    process.off('exit', unmount);
    unmount();
  });
  const bench = await makeBench({ dataDir, probeDisk, diskProbeMs: 60_000, uploadTimeoutMs: 1000 });
  const filler = join(dataDir, 'filler');
  return {
    ...onBench(bench),
    bench,
    async refuse() {
      const { bavail, bsize } = await statfs(dataDir);
      await writeFile(filler, Buffer.alloc(bavail * bsize - leftBytes));
      if (leftBytes === 0) await bench.intake.refreshDisk();
    },
    async mend() {
      await rm(filler);
      await bench.intake.refreshDisk();
    },
  };
}

/** An intake in a process of its own. */
async function startChild(
  dataDir: string,
  options: { user?: { uid: number; gid: number }; wrap?: readonly string[] },
): Promise<
  Pick<Store, 'dataDir' | 'login' | 'alerts' | 'submitted'> & { pid: number; uid: number | undefined }
> {
  const { user, wrap = [] } = options;
  const { [CAMERA]: password = '' } = await loadCredentials(dataDir);
  const [execPath = '', ...execArgv] = [...wrap, process.execPath];
  const child = fork(
    new URL('./intake-child.ts', import.meta.url),
    [dataDir, '0', ...(user ? [String(user.uid), String(user.gid)] : [])],
    { execPath, execArgv },
  );
  endings.push(() => end(child));
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const account = async () => {
    child.send('account');
    const [answer] = (await once(child, 'message')) as [Account];
    return answer;
  };
  return {
    dataDir,
    pid: child.pid ?? 0,
    uid: (await account()).uid,
    async login() {
      const client = await PlainFtp.connect(port);
      endings.push(() => client.close());
      await client.command(`USER ${CAMERA}`);
      await client.command(`PASS ${password}`);
      return client;
    },
    alerts: async () => (await account()).alerts,
    submitted: async () => (await account()).submitted,
  };
}

/** By a folder that its user may not write to: the intake runs in a process without the rights of root. */
async function realUser(context: TestContext, folder: string): Promise<Store> {
  const user = unprivilegedUser();
  if (!user) context.skip('only root can start a process as another user');
  const dataDir = await newFolder();
  await loadCredentials(dataDir);
  for (const name of ['.', ...(await readdir(dataDir))]) await chown(join(dataDir, name), user.uid, user.gid);
  const child = await startChild(dataDir, { user });
  expect(child.uid).toBe(user.uid);
  return {
    ...child,
    refuse: () => chmod(join(dataDir, folder), 0o555),
    mend: () => chmod(join(dataDir, folder), 0o755),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const idIn = (reply: string) => reply.split(' ').at(-1) ?? '';
const filesIn = ({ dataDir }: Store, folder: string) => readdir(join(dataDir, folder));

/** The camera has kept its frame, and it gets through. */
async function expectWell(store: Store, camera: PlainFtp, frame: Buffer): Promise<void> {
  const reply = await camera.upload('a.jpg', frame);
  expect(reply).toMatch(/^250 Accepted as /);
  await vi.waitFor(async () => expect(await store.submitted()).toEqual([idIn(reply)]), PATIENT);
}

describe.each(['injected', 'real'] as const)('%s', (how) => {
  it('ENOSPC: 452, one alert, nothing is kept, well again', async (context) => {
    const store = how === 'real' ? await realDisk(context) : await injected('disk_full');
    const camera = await store.login();
    await store.refuse();
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(camera.beginStore('a.jpg.part')).rejects.toThrow(/^452 Insufficient storage space/);
    }
    expect(await store.alerts()).toEqual([{ code: 'DISK_FULL', count: 1 }]);
    expect(await filesIn(store, 'incoming')).toEqual([]);
    await store.mend();
    await expectWell(store, camera, await makeFrame());
  });

  it('EACCES when a file is opened: 451, one alert, nothing is kept, well again', async (context) => {
    const store = how === 'real' ? await realUser(context, 'incoming') : await injected('permission_denied');
    const camera = await store.login();
    await store.refuse();
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(camera.beginStore('a.jpg.part')).rejects.toThrow(/^451 The upload could not be stored/);
    }
    expect(await store.alerts()).toEqual([{ code: 'UPLOAD_STORAGE', count: 1 }]);
    expect(await filesIn(store, 'incoming')).toEqual([]);
    await store.mend();
    await expectWell(store, camera, await makeFrame());
  });

  it('EACCES when a file is accepted: 451, one alert, nothing on record, and the same rename succeeds later', async (context) => {
    const store =
      how === 'real'
        ? await realUser(context, 'inbox')
        : await injected('permission_denied', { step: 'accept' });
    const camera = await store.login();
    await store.refuse();
    expect(await camera.upload('a.jpg', await makeFrame())).toMatch(/^451 The upload could not be stored/);
    expect(await store.alerts()).toEqual([{ code: 'UPLOAD_STORAGE', count: 1 }]);
    expect(await filesIn(store, 'inbox')).toEqual([]);
    expect(await filesIn(store, 'incoming')).toHaveLength(1);
    await store.mend();
    await camera.command('RNFR a.jpg.part');
    const reply = await camera.command('RNTO a.jpg');
    expect(reply).toMatch(/^250 Accepted as /);
    await vi.waitFor(async () => expect(await store.submitted()).toEqual([idIn(reply)]), PATIENT);
  });
});

describe('a disk that fills up', () => {
  it('in the middle of an upload: 452, one alert; the part is quarantined as soon as there is room for its reason', async (context) => {
    const store = await realDisk(context, LEFT_BYTES);
    const { sink } = store.bench;
    const camera = await store.login();
    await store.refuse();
    const frame = await makeFrame();
    expect(frame.length).toBeGreaterThan(2 * LEFT_BYTES);
    expect(await camera.store('a.jpg.part', frame)).toMatch(/^452 /);
    await expect(camera.beginStore('b.jpg.part')).rejects.toThrow(/^452 /); // it is known to be full now
    expect(sink.alerts).toEqual([{ code: 'DISK_FULL', count: 1 }]);
    await vi.waitFor(async () => expect(await filesIn(store, 'incoming')).toHaveLength(1), PATIENT);
    expect(sink.letters).toEqual([]); // no room for a reason
    await store.mend();
    await expectWell(store, camera, frame);
    await vi.waitFor(() => expect(sink.links).toHaveLength(1), PATIENT);
    expect(sink.letters).toMatchObject([{ code: 'DISK_FULL', name: 'a.jpg', uploadId: null }]);
    expect(await filesIn(store, 'incoming')).toEqual([]);
  });

  it('before an upload is on record: 452, and the same rename succeeds later', async (context) => {
    const store = await realDisk(context);
    const camera = await store.login();
    const frame = await makeFrame();
    await camera.store('a.jpg.part', frame);
    await store.refuse();
    await camera.command('RNFR a.jpg.part');
    expect(await camera.command('RNTO a.jpg')).toMatch(/^452 /);
    expect([...(await store.bench.intake.acceptedIds()).keys()]).toEqual([]);
    expect(await filesIn(store, 'inbox')).toEqual([]);
    await store.mend();
    await camera.command('RNFR a.jpg.part');
    const reply = await camera.command('RNTO a.jpg');
    expect(reply).toMatch(/^250 Accepted as /);
    await vi.waitFor(async () => expect(await store.submitted()).toEqual([idIn(reply)]), PATIENT);
  });
});

it('a file that may not grow: 451, one alert, the part is quarantined, well again', async (context) => {
  const prlimit = findProgram('prlimit') ?? '';
  if (prlimit === '') context.skip('no prlimit to limit the size of files with');
  const dataDir = await newFolder();
  const limit = `--fsize=${2 * LEFT_BYTES}:unlimited`;
  const child = await startChild(dataDir, { wrap: [prlimit, limit] });
  const store = { ...child, refuse: async () => {}, mend: async () => {} };
  const camera = await store.login();
  const frame = await makeFrame();
  expect(await camera.store('a.jpg.part', frame)).toMatch(/^451 The upload could not be stored/); // EFBIG
  expect(await store.alerts()).toEqual([{ code: 'UPLOAD_STORAGE', count: 1 }]);
  await vi.waitFor(async () => expect(await filesIn(store, 'incoming')).toEqual([]), PATIENT);
  await vi.waitFor(async () => expect(await filesIn(store, 'quarantine')).toHaveLength(2), PATIENT); // with its reason
  execFileSync(prlimit, ['--pid', String(child.pid), '--fsize=unlimited']);
  await expectWell(store, camera, frame);
});
