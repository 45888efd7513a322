import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '#server/embedded/free-port.ts';
import { postgresReady, preparePostgres } from '#server/embedded/postgres.ts';
import { endChild, spawnServer } from './spawned.ts';

export interface TestPostgres {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** kill -9 without restart. */
  kill(): Promise<void>;
  /** kill -9 when it still runs, then start again on the same folder and port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** A real PostgreSQL in a folder of its own on a free port, with an empty database. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const parent = await mkdtemp(join(tmpdir(), 'brownout-postgres-'));
  await chmod(parent, 0o755);
  const account = { user: 'brownout', password: 'test-password', database: 'brownout' };
  const options = { directory: join(parent, 'data'), port: await findFreePort(), ...account };
  const start = async () => {
    const command = await preparePostgres(options);
    const spawned = spawnServer(command);
    await postgresReady(options).catch((error: Error) => {
      throw new Error(`${error.message}\n${spawned.output()}`);
    });
    return spawned.child;
  };
  let child = await start();
  return {
    host: '127.0.0.1',
    port: options.port,
    ...account,
    kill: () => endChild(child, 'SIGKILL'),
    async restart() {
      await endChild(child, 'SIGKILL');
      child = await start();
    },
    async close() {
      await endChild(child, 'SIGINT');
      await rm(parent, { recursive: true, force: true });
    },
  };
}
