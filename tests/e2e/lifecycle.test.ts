import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isAlive } from '#tests/support/is-alive.ts';
import { ROOT, type System, startSystem, systemEnvironment } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

/** Every process that was started for this data directory, by its environment; the test's own tree included. */
function processesOf(dataDir: string): string[] {
  const listing = execFileSync(
    '/bin/sh',
    [
      '-c',
      'grep -l -a -F -- "$1" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null || true',
      'sh',
      dataDir,
    ],
    {
      encoding: 'utf8',
    },
  );
  return [
    ...new Set(
      listing
        .split('\n')
        .filter(Boolean)
        .map((path) => path.split('/')[2] ?? ''),
    ),
  ]
    .filter((pid) => existsSync(`/proc/${pid}`))
    .flatMap((pid) => {
      try {
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

async function untilNoneIsLeft(dataDir: string, timeoutMs: number): Promise<void> {
  await until('its children have ended', timeoutMs, () => {
    const left = processesOf(dataDir);
    if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`);
    return true;
  });
}

/** As Ctrl-C does. `stop` would kill after 5 s, and on a busy machine an orderly end takes longer. */
async function endInOrder(system: System): Promise<number | null> {
  process.kill(system.supervisorPid, 'SIGINT');
  await until('the supervisor has ended', 30_000, () => !isAlive(system.supervisorPid));
  return system.stop();
}

async function refusal(
  environment: Record<string, string | undefined>,
): Promise<{ code: number | null; error: string; ms: number }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['server/supervisor/main.ts'], {
    cwd: ROOT,
    env: environment as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let error = '';
  child.stderr.on('data', (bytes: Buffer) => {
    error += bytes.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { code, error: error.trim(), ms: performance.now() - startedAt };
}

describe('npm start', () => {
  it('ends with one line that gives the URL; Ctrl-C leaves no process and no lock; a second start keeps the data', async () => {
    const first = await startSystem();
    expect(first.output.trim().split('\n').at(-1)).toContain(first.url);
    expect((await fetch(first.url)).status).toBe(200);
    await until(
      'the first event is stored',
      40_000,
      async () => (await first.sql('select 1 from events limit 1')).length > 0,
    );
    const stored = await first.sql<{ event_id: string }>('select event_id from events order by seq');
    const before = await first.facts();

    expect(await endInOrder(first)).toBe(0);
    await untilNoneIsLeft(first.dataDir, 3000);
    expect(existsSync(join(first.dataDir, 'lock'))).toBe(false);

    const second = await first.restart();
    const kept = await second.sql<{ event_id: string }>('select event_id from events order by seq limit $1', [
      stored.length,
    ]);
    expect(kept).toEqual(stored);
    const after = await second.facts();
    expect(after.slice(0, before.length).map((fact) => fact.seq)).toEqual(before.map((fact) => fact.seq));

    const twin = await refusal({ ...(await systemEnvironment(second.dataDir)) });
    expect(twin.code).toBe(2);
    expect(twin.error).toMatch(/^DATA_DIR=\S+ is in use by process \d+/);
    await second.close();
  });

  it('leaves nothing behind when the supervisor is killed, and the next start takes over', async () => {
    const first = await startSystem({ cameraRate: 1 });
    process.kill(first.supervisorPid, 'SIGKILL');
    await untilNoneIsLeft(first.dataDir, 20_000);
    const second = await first.restart();
    expect((await second.state()).faults).toEqual([]);
    await second.close();
  });
});

describe('a setting that cannot be used', () => {
  it('a busy port is one line that names it', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'brownout-'));
    const environment = await systemEnvironment(dataDir);
    const blocker = createServer().listen(Number(environment['FTP_PORT']), '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { code, error } = await refusal(environment);
    expect(code).toBe(2);
    expect(error).toMatch(new RegExp(`^FTP_PORT=${environment['FTP_PORT']} is in use: .*$`));
    expect(processesOf(dataDir)).toEqual([]);
    blocker.close();
    rmSync(dataDir, { recursive: true });
  });

  it.each([
    {
      name: 'a port out of range',
      set: { PORT: '70000' },
      line: /^PORT=70000 is not usable: expected at most 65535$/,
    },
    {
      name: 'a port that is no number',
      set: { BACKEND_PORT: 'eighty' },
      line: /^BACKEND_PORT=eighty is not usable: expected a number$/,
    },
    {
      name: 'an unknown profile',
      set: { PROFILE: 'party' },
      line: /^PROFILE=party is not usable: expected one of game-day, production, test$/,
    },
    {
      name: 'a rate below zero',
      set: { CAMERA_RATE: '-1' },
      line: /^CAMERA_RATE=-1 is not usable: expected at least 0$/,
    },
    {
      name: 'a URL of another kind',
      set: { REDIS_URL: 'http://x' },
      line: /^REDIS_URL=http:\/\/x is not usable: expected a URL starting with redis:\/\//,
    },
    { name: 'an open host without a token', set: { HOST: '0.0.0.0' }, line: /BROWNOUT_TOKEN/ },
    {
      name: 'one port for two things',
      set: { PORT: '4100', FTP_PORT: '4100' },
      line: /^FTP_PORT=4100 is also the value of PORT/,
    },
    {
      name: 'frames that are not there',
      set: { CAMERA_FRAMES_DIR: '/nowhere/frames' },
      line: /^CAMERA_FRAMES_DIR=\/nowhere\/frames /,
    },
  ])('$name is one line and exit code 2', async ({ set, line }) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'brownout-'));
    const { code, error } = await refusal({ ...(await systemEnvironment(dataDir)), ...set });
    expect([code, error.split('\n')]).toEqual([2, [expect.stringMatching(line)]]);
    rmSync(dataDir, { recursive: true });
  });

  it('an unwritable data directory is one line that names it', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'brownout-')), 'a-file');
    writeFileSync(file, '');
    const { code, error } = await refusal(await systemEnvironment(join(file, 'data')));
    expect([code, error]).toEqual([
      2,
      expect.stringMatching(/^DATA_DIR=\S+ cannot be written: choose another directory$/),
    ]);
  });

  it('data of a newer version is refused', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'brownout-'));
    writeFileSync(join(dataDir, 'format.json'), '{"version":2}');
    const { code, error } = await refusal(await systemEnvironment(dataDir));
    expect([code, error]).toEqual([2, expect.stringContaining('has format 2')]);
    expect(existsSync(join(dataDir, 'lock'))).toBe(false);
    const reset = spawnSync(process.execPath, ['scripts/reset.mjs'], {
      cwd: ROOT,
      env: { ...process.env, DATA_DIR: dataDir },
      encoding: 'utf8',
    });
    expect([reset.status, existsSync(dataDir)]).toEqual([0, false]);
  });
});
