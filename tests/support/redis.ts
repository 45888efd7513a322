import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '#server/embedded/free-port.ts';
import { prepareRedis, redisReady } from '#server/embedded/redis.ts';
import { endChild, spawnServer } from './spawned.ts';

export interface TestRedis {
  host: string;
  port: number;
  pid: number;
  /** kill -9, then start again on the same folder and port. */
  restart(): Promise<void>;
  /** kill -9 without restart. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** A real redis-server in a folder of its own on a free port. `settings` are further arguments of its command line. */
export async function startTestRedis(settings: readonly string[] = []): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'brownout-redis-'));
  const port = await findFreePort();
  const prepared = prepareRedis({ directory, port });
  const command = { ...prepared, args: [...prepared.args, ...settings] };
  const start = async () => {
    const spawned = spawnServer(command);
    await redisReady(port).catch((error: Error) => {
      throw new Error(`${error.message}\n${spawned.output()}`);
    });
    return spawned.child;
  };
  let child = await start();
  return {
    host: '127.0.0.1',
    port,
    get pid() {
      return child.pid ?? 0;
    },
    kill: () => endChild(child, 'SIGKILL'),
    async restart() {
      await endChild(child, 'SIGKILL');
      child = await start();
    },
    async close() {
      await endChild(child, 'SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
