import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { findFreePort } from '#server/embedded/free-port.ts';
import { until } from '#tests/support/until.ts';

export interface Toxiproxy {
  readonly version: string;
  /** A proxy without toxics in front of a port; gives its own port. */
  open(name: string, upstream: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts the `toxiproxy-server` of this machine; undefined when there is none on PATH. */
export async function startToxiproxy(): Promise<Toxiproxy | undefined> {
  if (spawnSync('toxiproxy-server', ['-version'], { stdio: 'ignore' }).error) return undefined;
  const port = await findFreePort();
  const child = spawn('toxiproxy-server', ['-host', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
    env: { ...process.env, LOG_LEVEL: 'error' },
  });
  const exited = once(child, 'exit');
  const call = async (path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: body ? 'POST' : 'GET',
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw new Error(`toxiproxy-server: ${response.status} ${await response.text()}`);
    return response.json();
  };
  let version = '';
  await until('toxiproxy-server answers', 10_000, async () => {
    const answer = await call('/version').catch(() => undefined);
    version = String((answer as { version?: string } | undefined)?.version ?? '');
    return version !== '';
  });
  return {
    version,
    async open(name, upstream) {
      const proxy = (await call('/proxies', {
        name,
        listen: '127.0.0.1:0',
        upstream: `127.0.0.1:${upstream}`,
      })) as { listen: string };
      return Number(proxy.listen.split(':').at(-1));
    },
    async close() {
      child.kill();
      await exited;
    },
  };
}
