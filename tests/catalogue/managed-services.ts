/** The processes that faults kill and pause, as the supervisor starts them: real servers, each on free ports. */
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { Wiring } from '#server/config.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { postgresReady, preparePostgres } from '#server/embedded/postgres.ts';
import { prepareRedis, redisReady } from '#server/embedded/redis.ts';
import { ManagedProcess, type ManagedProcessOptions } from '#server/supervisor/managed-process.ts';

export type ManagedService = 'redis' | 'database' | 'inference' | 'pipeline';

export interface RunningService {
  readonly managed: ManagedProcess;
  readonly port: number;
  /** Whether it does its work within this time, with what it was told to keep before. Never throws. */
  answers(withinMs: number): Promise<boolean>;
  close(): Promise<void>;
}

const PREPARE_MS = 20_000;
const MARK = 'kept through everything';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export async function startService(service: ManagedService): Promise<RunningService> {
  const directory = await mkdtemp(join(tmpdir(), `brownout-${service}-`));
  await chmod(directory, 0o755); // PostgreSQL runs as another user
  const starts = {
    redis: makeRedis,
    database: makeDatabase,
    inference: makeInference,
    pipeline: makePipeline,
  };
  const { port, options, prepare, ask } = await starts[service](directory);
  const managed = new ManagedProcess({
    name: service,
    log: new Writable({ write: (_chunk, _encoding, done) => done() }),
    ...options,
  });
  await managed.start();
  await prepare?.();
  return {
    managed,
    port,
    answers: (withinMs) =>
      ask(withinMs).then(
        (answer) => answer,
        () => false,
      ),
    async close() {
      await managed.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Made {
  readonly port: number;
  readonly options: Pick<ManagedProcessOptions, 'command' | 'ready'>;
  /** Gives it something to keep. */
  prepare?(): Promise<unknown>;
  ask(withinMs: number): Promise<boolean>;
}

async function makeRedis(directory: string): Promise<Made> {
  const port = await findFreePort();
  const command = (text: string, withinMs: number) => askRedis(port, text, withinMs);
  return {
    port,
    options: { command: () => prepareRedis({ directory, port }), ready: () => redisReady(port) },
    prepare: () => command(`SET mark "${MARK}"`, PREPARE_MS),
    ask: async (withinMs) => (await command('GET mark', withinMs)).includes(MARK),
  };
}

async function askRedis(port: number, text: string, withinMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    const signal = AbortSignal.timeout(withinMs);
    socket.write(`${text}\r\n`);
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
    return answer.toString();
  } finally {
    socket.destroy();
  }
}

async function makeDatabase(directory: string): Promise<Made> {
  const account = { user: 'brownout', password: 'test-password', database: 'brownout' };
  const options = { directory: join(directory, 'data'), port: await findFreePort(), ...account };
  const query = async (sql: string, withinMs: number) => {
    const timeouts = { connectionTimeoutMillis: withinMs, query_timeout: withinMs };
    const client = new Client({ host: '127.0.0.1', port: options.port, ...account, ...timeouts });
    client.on('error', () => {}); // told by the query that fails
    try {
      await client.connect();
      return (await client.query<{ mark: string }>(sql)).rows;
    } finally {
      void client.end().catch(() => {});
    }
  };
  return {
    port: options.port,
    options: { command: () => preparePostgres(options), ready: () => postgresReady(options) },
    prepare: () => query(`create table kept as select '${MARK}' as mark`, PREPARE_MS),
    ask: async (withinMs) => (await query('select mark from kept', withinMs))[0]?.mark === MARK,
  };
}

const NOWHERE = { host: '127.0.0.1', port: 9 };

async function makeInference(directory: string): Promise<Made> {
  const [yolo26, nemotron] = [await findFreePort(), await findFreePort()];
  return makeOurs('inference', directory, yolo26, '/health', {
    environment: { YOLO26_PORT: String(yolo26), NEMOTRON_PORT: String(nemotron) },
    direct: { yolo26: `http://127.0.0.1:${yolo26}`, nemotron: `http://127.0.0.1:${nemotron}` },
  });
}

/** It serves its viewers and takes uploads whatever is gone: here it has no other service at all. */
async function makePipeline(directory: string): Promise<Made> {
  const [viewers, ftp] = [await findFreePort(), await findFreePort()];
  return makeOurs('pipeline', directory, viewers, '/api/health', {
    environment: { BACKEND_PORT: String(viewers), FTP_PORT: String(ftp) },
    direct: { ftp: { host: '127.0.0.1', port: ftp } },
  });
}

function makeOurs(
  name: 'inference' | 'pipeline',
  directory: string,
  port: number,
  path: string,
  { environment, direct }: { environment: Record<string, string>; direct: Partial<Wiring['direct']> },
): Made {
  const http = 'http://127.0.0.1:9';
  const nowhere = { redis: NOWHERE, database: NOWHERE, ftp: NOWHERE };
  const wiring: Omit<Wiring, 'nameServer'> = {
    agentSecret: 'a secret of this test',
    controlUrl: http,
    direct: { yolo26: http, nemotron: http, ...nowhere, ...direct },
    proxied: { yolo26: NOWHERE, nemotron: NOWHERE, pubsub: NOWHERE, ...nowhere },
    databaseUser: 'nobody',
    databasePassword: 'none',
    databaseName: 'none',
    redisPassword: null,
  };
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]);
  return {
    port,
    options: {
      command: () => ({
        command: process.execPath,
        args: ['--disable-warning=ExperimentalWarning', join(ROOT, 'server', name, 'main.ts')],
        cwd: ROOT,
        env: {
          ...Object.fromEntries(inherited),
          ...environment,
          DATA_DIR: directory,
          BROWNOUT_WIRING: JSON.stringify(wiring),
        },
        stopSignal: 'SIGTERM' as const,
      }),
    },
    async ask(withinMs) {
      const signal = AbortSignal.timeout(withinMs);
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { connection: 'close' },
        signal,
      });
      await answer.arrayBuffer();
      return answer.status === 200;
    },
  };
}
