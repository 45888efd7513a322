import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

async function spawnInference(
  yolo26: number,
  nemotron: number,
): Promise<{ child: ChildProcess; stderr: () => string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brownout-inference-'));
  stops.push(() => rm(dataDir, { recursive: true, force: true }));
  const nowhere = { host: '127.0.0.1', port: 9 };
  const wiring = {
    agentSecret: 'a secret of this test',
    controlUrl: 'http://127.0.0.1:9',
    direct: {
      yolo26: `http://127.0.0.1:${yolo26}`,
      nemotron: `http://127.0.0.1:${nemotron}`,
      redis: nowhere,
      database: nowhere,
      ftp: nowhere,
    },
    proxied: {
      yolo26: nowhere,
      nemotron: nowhere,
      redis: nowhere,
      pubsub: nowhere,
      database: nowhere,
      ftp: nowhere,
    },
    databaseUser: '',
    databasePassword: '',
    databaseName: '',
    redisPassword: null,
  };
  const child = spawn(process.execPath, ['server/inference/main.ts'], {
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      YOLO26_PORT: String(yolo26),
      NEMOTRON_PORT: String(nemotron),
      BROWNOUT_WIRING: JSON.stringify(wiring),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  stops.push(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return { child, stderr: () => stderr };
}

describe('inference process', () => {
  it('says ready, serves both models where the wiring says, and ends on SIGTERM', async () => {
    const [yolo26, nemotron] = [await freePort(), await freePort()];
    const { child } = await spawnInference(yolo26, nemotron);
    const [message] = await once(child, 'message');
    expect(message).toEqual({ kind: 'ready' });
    for (const [port, model] of [
      [yolo26, 'yolo26'],
      [nemotron, 'nemotron'],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${port}/health`);
      expect(await response.json()).toMatchObject({ status: 'healthy', model, simulated: true });
    }
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('names the setting whose port is taken and exits with 2', async () => {
    const other = createServer();
    const taken = await listen(other);
    stops.push(() => other.close());
    const { child, stderr } = await spawnInference(await freePort(), taken);
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(stderr()).toBe(`NEMOTRON_PORT: port ${taken} is taken by another program\n`);
  });
});
