import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Wiring } from '#server/config.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { dependencyAddresses } from '../dependency-addresses.ts';
import { closeHttpConnections, httpCall } from '../pipeline/work/http-call.ts';

let child: ChildProcess | undefined;
let server: Server | undefined;
let dataDir: string | undefined;

afterEach(async () => {
  if (child && child.exitCode === null) child.kill('SIGKILL');
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

it('proxies without a control process, and ends in order on SIGTERM', async () => {
  server = createServer((incoming, response) => response.end(`answer to ${incoming.url}`));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  const direct = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const free = async () => ({ host: '127.0.0.1', port: await findFreePort() });
  const nowhere = { host: '127.0.0.1', port: 1 };
  const wiring: Wiring = {
    agentSecret: 'a secret for the test',
    controlUrl: 'http://127.0.0.1:1',
    direct: { yolo26: direct, nemotron: direct, redis: nowhere, database: nowhere, ftp: nowhere },
    proxied: {
      yolo26: await free(),
      nemotron: await free(),
      redis: await free(),
      pubsub: await free(),
      database: await free(),
      ftp: await free(),
    },
    nameServer: await free(),
    databaseUser: 'u',
    databasePassword: 'p',
    databaseName: 'd',
    redisPassword: null,
  };
  dataDir = await mkdtemp(join(tmpdir(), 'brownout-proxy-'));
  const started = spawn(process.execPath, ['server/proxy/main.ts'], {
    env: { ...process.env, DATA_DIR: dataDir, BROWNOUT_WIRING: JSON.stringify(wiring) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child = started;
  let errors = '';
  started.stderr?.on('data', (part) => {
    errors += part;
  });
  await new Promise<void>((resolve, reject) => {
    started.once('message', () => resolve());
    started.once('exit', (code) => reject(new Error(`exit ${code}: ${errors}`)));
  });
  for (const service of ['yolo26', 'nemotron'] as const) {
    const response = await fetch(`http://127.0.0.1:${wiring.proxied[service].port}/health`);
    expect(await response.text()).toBe('answer to /health');
  }
  // Its clients know the proxies by name.
  const byName = { ...dependencyAddresses(wiring).yolo26, connectMs: 5000, timeoutMs: 5000 };
  expect(byName.host).toBe('yolo26.brownout.internal');
  const named = await httpCall({ ...byName, method: 'GET', path: '/by-name' });
  expect(named.body).toBe('answer to /by-name');
  closeHttpConnections();
  const exited = new Promise((resolve) => started.once('exit', resolve));
  started.kill('SIGTERM');
  expect(await exited).toBe(0);
});
