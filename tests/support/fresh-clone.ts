import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { State } from '#lib/protocol/state.ts';
import { endChild } from './spawned.ts';
import { ROOT, systemEnvironment } from './system.ts';
import { until } from './until.ts';

/**
 * Clones this checkout, runs `npm start` there, and waits until the page is served and frames flow to stored events.
 *
 * @param options.installed true: with this checkout's packages and build, as on every start but the first
 */
export async function startFreshClone({ installed }: { installed: boolean }): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'brownout-clone-')); // mode 0700: PostgreSQL's user cannot enter it
  const clone = join(parent, 'brownout');
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
  if (installed) lendInstallation(clone);
  const { CAMERA_FRAMES_DIR: _rendered, ...settings } = await systemEnvironment(join(clone, '.brownout'));
  // What the registry needs stays (proxies, certificates); what npm told this test run does not.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_ENV$|VITEST)/.test(name));
  const environment = { ...Object.fromEntries(inherited), ...settings };
  const child = spawn('npm', ['start'], {
    cwd: clone,
    env: environment as unknown as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  try {
    const url = `http://127.0.0.1:${settings['PORT']}`;
    await until('the last line gives the URL', 300_000, () => {
      if (child.exitCode !== null) throw new Error(output);
      return output.trim().split('\n').at(-1)?.endsWith(url);
    });
    const page = await fetch(url);
    if (page.status !== 200 || !page.headers.get('content-type')?.includes('text/html'))
      throw new Error(`The page was answered with ${page.status}`);
    await until('frames have become stored events', 60_000, async () => {
      const state = (await (await fetch(`${url}/api/v1/state`)).json()) as State;
      const { recentEvents, ledger } = state.pipeline ?? {};
      return (recentEvents?.length ?? 0) > 0 && (ledger?.stored ?? 0) > 0 && ledger?.lost === 0;
    });
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGINT'); // as Ctrl-C in a terminal: the whole group
    await endChild(child, 'SIGCONT', 30_000);
    await rm(parent, { recursive: true, force: true, maxRetries: 3 });
  }
}

function lendInstallation(clone: string): void {
  execFileSync('cp', ['-al', join(ROOT, 'node_modules'), join(clone, 'node_modules')]);
  const stamp = join('node_modules', '.brownout-installed');
  rmSync(join(clone, stamp)); // a file of its own, since it may be written again
  copyFileSync(join(ROOT, stamp), join(clone, stamp));
  cpSync(join(ROOT, '.next'), join(clone, '.next'), { recursive: true });
}
