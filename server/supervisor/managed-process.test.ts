import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isAlive } from '#tests/support/is-alive.ts';
import { ManagedProcess } from './managed-process.ts';
import { identityOf } from './process-identity.ts';

const sink = () => new Writable({ write: (_chunk, _encoding, done) => done() });
const started: ManagedProcess[] = [];

function makeProcess(script: string, prepared: () => Promise<void> = async () => {}): ManagedProcess {
  const managed = new ManagedProcess({
    name: 'pipeline',
    log: sink(),
    command: async () => {
      await prepared();
      return { command: process.execPath, args: ['-e', script], cwd: '/', stopSignal: 'SIGTERM' };
    },
  });
  started.push(managed);
  return managed;
}

/** How long it was down before each start, ms, as it goes on. */
function waitsOf(managed: ManagedProcess): number[] {
  const waits: number[] = [];
  let downAt: number | undefined;
  managed.on('changed', ({ status }) => {
    const now = performance.now();
    if (status.state === 'down') downAt = now;
    else if (status.state === 'starting' && downAt !== undefined) waits.push(now - downAt);
  });
  return waits;
}

async function expectGrowing(waits: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(waits.length).toBeGreaterThanOrEqual(3), 20_000);
  for (const [index, waitMs] of [100, 200, 400].entries())
    expect(waits[index], `wait ${index + 1}`).toBeGreaterThan(waitMs - 5);
}

const SERVES =
  'process.send({kind: "ready"}); process.on("disconnect", () => process.exit(0)); setInterval(() => {}, 1000)';

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
});

describe('ManagedProcess', () => {
  it('is up once the child says that it serves', async () => {
    const managed = makeProcess(SERVES);
    await managed.start();
    expect(managed.status).toMatchObject({ state: 'up', restarts: 0 });
  });

  it('starts a killed child again', async () => {
    const managed = makeProcess(SERVES);
    await managed.start();
    const pid = managed.status.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(
      () => expect(managed.status).toMatchObject({ state: 'up', restarts: 1, lastExit: 'SIGKILL' }),
      10_000,
    );
    expect(managed.status.pid).not.toBe(pid);
  });

  it('waits longer between the starts of a child that keeps crashing', async () => {
    const managed = makeProcess('process.exit(1)');
    const waits = waitsOf(managed);
    void managed.start();
    await expectGrowing(waits);
  });

  it('waits longer also when it had served before', async () => {
    let starts = 0;
    const managed = new ManagedProcess({
      name: 'pipeline',
      log: sink(),
      steadyMs: 50,
      command: async () => {
        const script = starts++ === 0 ? SERVES : 'process.exit(1)';
        return { command: process.execPath, args: ['-e', script], cwd: '/', stopSignal: 'SIGTERM' };
      },
    });
    started.push(managed);
    await managed.start();
    const upAt = performance.now();
    await vi.waitFor(() => expect(performance.now() - upAt).toBeGreaterThan(60));
    const waits = waitsOf(managed);
    process.kill(managed.status.pid ?? 0, 'SIGKILL');
    await expectGrowing(waits);
  });

  it('is held and released while it prepares, and runs once', async () => {
    const gates: (() => void)[] = [];
    let prepare = async () => {};
    const managed = makeProcess(SERVES, () => prepare());
    await managed.start();
    prepare = () => new Promise((resolve) => gates.push(resolve));
    managed.hold();
    const first = managed.release(100);
    await vi.waitFor(() => expect(gates).toHaveLength(1), 5000);
    managed.hold(); // nothing runs yet that could be killed
    gates[0]?.();
    await first;
    expect(managed.status).toMatchObject({ state: 'held', pid: null });
    prepare = async () => {};
    await managed.release(10_000);
    expect(managed.status).toMatchObject({ state: 'up', restarts: 1 });
  });

  it('tells a reason when a child ends by itself, and none when it ends as ordered', async () => {
    const managed = makeProcess(SERVES);
    const reasons: (string | null)[] = [];
    managed.on('changed', ({ status, reason }) => {
      if (status.state === 'down') reasons.push(reason);
    });
    await managed.start();
    process.kill(managed.status.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(managed.status).toMatchObject({ state: 'up', restarts: 1 }), 10_000);
    await managed.stop();
    expect(reasons).toEqual(['SIGKILL', null]);
  });

  it('pauses a child that is held once it serves again', async () => {
    const managed = makeProcess(SERVES);
    await managed.start();
    managed.hold();
    managed.pause();
    await managed.release(10_000);
    await vi.waitFor(() => expect(managed.status.state).toBe('paused'), 5000);
    managed.resume();
    expect(managed.status.state).toBe('up');
  });

  it('pauses and kills what the child has forked too', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'brownout-tree-')), 'pid');
    const managed = makeProcess(
      `const { pid } = require('node:child_process').spawn('sleep', ['60'], { detached: true });
       require('node:fs').writeFileSync(${JSON.stringify(file)}, String(pid)); ${SERVES}`,
    );
    await managed.start();
    const forked = Number(readFileSync(file, 'utf8'));
    const stateOf = () =>
      execFileSync('ps', ['-o', 'state=', '-p', String(forked)], { encoding: 'utf8' }).trim();
    managed.pause();
    await vi.waitFor(() => expect(stateOf()).toMatch(/^T/), 5000);
    managed.resume();
    await vi.waitFor(() => expect(stateOf()).toMatch(/^S/), 5000);
    managed.pause();
    managed.hold();
    await vi.waitFor(() => expect(identityOf(forked)).toBeUndefined(), 5000);
    await rm(dirname(file), { recursive: true });
  });

  it('keeps a held child down until it is released', async () => {
    const managed = makeProcess(SERVES);
    await managed.start();
    const pid = managed.status.pid ?? 0;
    const states: string[] = [];
    managed.on('changed', ({ status }) => states.push(status.state));
    managed.hold();
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5000);
    await managed.release(10_000);
    expect(managed.status.state).toBe('up');
    expect(states).toEqual(['held', 'starting', 'up']);
  });

  it('does not start a child again that says its setting is wrong', async () => {
    const managed = makeProcess('process.stderr.write("PORT is odd\\n"); process.exit(2)');
    const told = new Promise<string>((resolve) =>
      managed.once('misconfigured', ({ message }) => resolve(message)),
    );
    void managed.start();
    expect(await told).toBe('PORT is odd');
    expect(managed.status).toMatchObject({ state: 'down', restarts: 0 });
  });

  it('tries again when a child that has served finds its port taken at a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'managed-'));
    const taken = join(folder, 'taken');
    let starts = 0;
    const managed = makeProcess(`if (fs.existsSync("${taken}")) process.exit(2); ${SERVES}`, async () => {
      starts++;
      if (starts === 2) await writeFile(taken, '');
      if (starts === 3) await rm(taken);
    });
    let misconfigured = false;
    managed.on('misconfigured', () => {
      misconfigured = true;
    });
    await managed.start();
    const exits: (string | null)[] = [];
    managed.on('changed', ({ status }) => {
      if (status.state === 'down') exits.push(status.lastExit);
    });
    process.kill(managed.status.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(managed.status).toMatchObject({ state: 'up', restarts: 2 }), 20_000);
    expect(exits).toEqual(['SIGKILL', 'exit code 2']);
    expect(misconfigured).toBe(false);
    await rm(folder, { recursive: true });
  });

  it('stops a child that is paused', async () => {
    const managed = makeProcess(SERVES);
    await managed.start();
    const pid = managed.status.pid ?? 0;
    managed.pause();
    await managed.stop();
    expect(isAlive(pid)).toBe(false);
  });
});
