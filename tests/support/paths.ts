import { Client as FtpClient } from 'basic-ftp';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import type { System } from './system.ts';

/** One real call through a fault proxy; rejects when the fault shows. Each uses a connection of its own. */
export const callThrough: Record<string, (system: System) => Promise<void>> = {
  yolo26: (system) => callHttp(system, 'yolo26'),
  nemotron: (system) => callHttp(system, 'nemotron'),
  redis: (system) => callRedis(system, 'redis'),
  pubsub: (system) => callRedis(system, 'pubsub'),
  database: callDatabase,
  ftp: callFtp,
};

async function callHttp(system: System, service: 'yolo26' | 'nemotron'): Promise<void> {
  const { host, port } = system.wiring.proxied[service];
  const answer = await fetch(`http://${host}:${port}/health`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(4000),
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${service} answers ${answer.status}`);
}

async function callRedis(system: System, service: 'redis' | 'pubsub'): Promise<void> {
  const { host, port } = system.wiring.proxied[service];
  const client = new Redis({
    host,
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 4000,
    commandTimeout: 4000,
  });
  client.on('error', () => {}); // told by the call
  try {
    await client.connect();
    await client.set('test:path', '1', 'EX', 5);
  } finally {
    client.disconnect();
  }
}

async function callDatabase(system: System): Promise<void> {
  const { proxied, databaseUser, databasePassword, databaseName } = system.wiring;
  const client = new Client({
    ...proxied.database,
    user: databaseUser,
    password: databasePassword,
    database: databaseName,
    connectionTimeoutMillis: 5000,
    query_timeout: 3000,
  });
  client.on('error', () => {}); // told by the call
  try {
    await client.connect();
    await client.query('select 1 as through_the_proxy');
  } finally {
    void client.end().catch(() => {});
  }
}

async function callFtp(system: System): Promise<void> {
  const { host, port } = system.wiring.proxied.ftp;
  const client = new FtpClient(2000);
  try {
    await client.connect(host, port);
    await client.send('NOOP', true);
  } finally {
    client.close();
  }
}

/** How long a call through the path takes, ms; rejects when it fails. */
export async function timeThrough(system: System, service: string): Promise<number> {
  const startedAt = performance.now();
  const call = callThrough[service];
  if (!call) throw new Error(`no path to ${service}`);
  await call(system);
  return performance.now() - startedAt;
}
