/** What a client sees of a seed: one real component for each protocol, each fault with a neighbour that comes halfway. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { FAULT_HEADER, readFaultMark, type ServiceName } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { drawFor } from '#lib/chaos/random.ts';
import { FtpUploader } from '#server/cameras/ftp-uploader.ts';
import { UploadFaults } from '#server/cameras/upload-faults.ts';
import { complete, open as openInference } from '#server/inference/inference-fixture.ts';
import { CAMERA, makeBench, makeFrame } from '#server/pipeline/intake/intake-fixture.ts';
import { startTestPostgres } from '#tests/support/postgres.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis } from '#tests/support/redis.ts';

const RATIO = 0.5;
const MINE = 'under-test';

interface Component {
  readonly injector: FaultInjector;
  /** One call, made after the one before has ended: the id of the fault that its client found in the answer. */
  call(n: number): Promise<string | undefined>;
  close(): Promise<void>;
}

interface Case {
  service: ServiceName;
  type: string;
  /** Disturbs some of the calls that the fault under test spares. */
  neighbour: string;
  calls: number;
  open(): Promise<Component>;
}

const markOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: { message: string; detail?: string }) => {
      const id = readFaultMark(`${error.message} ${error.detail ?? ''}`);
      if (id === undefined) throw error;
      return id;
    },
  );

async function openHttp(): Promise<Component> {
  const server = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const harness = startProxyHarness();
  const upstream = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const { port } = await harness.open('yolo26', upstream);
  return {
    injector: harness.injector,
    async call(n) {
      const response = await fetch(`http://127.0.0.1:${port}/detect?n=${n}`, { method: 'POST' });
      await response.text();
      return response.headers.get(FAULT_HEADER) ?? undefined;
    },
    async close() {
      await harness.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

async function openRedis(): Promise<Component> {
  const redis = await startTestRedis();
  const harness = startProxyHarness();
  const { port } = await harness.open('redis', redis);
  const client = new Redis({ port, disableClientInfo: true });
  return {
    injector: harness.injector,
    call: (n) => markOf(client.set(`key-${n}`, n)),
    async close() {
      client.disconnect();
      await harness.close();
      await redis.close();
    },
  };
}

async function openPostgres(): Promise<Component> {
  const postgres = await startTestPostgres();
  const harness = startProxyHarness();
  const { port } = await harness.open('database', postgres);
  const { user, password, database } = postgres;
  const client = new Client({ host: '127.0.0.1', port, user, password, database });
  client.on('error', () => {}); // its server is killed in the end
  await client.connect();
  return {
    injector: harness.injector,
    call: (n) => markOf(client.query('SELECT $1::int + 1 AS more', [n])),
    async close() {
      await client.end();
      await harness.close();
      await postgres.close();
    },
  };
}

async function openFtp(): Promise<Component> {
  const intake = await makeBench();
  const harness = startProxyHarness();
  const { port } = await harness.open('ftp', { host: '127.0.0.1', port: intake.intake.ftpPort });
  const uploader = new FtpUploader({
    host: '127.0.0.1',
    port,
    user: CAMERA,
    password: intake.password,
    timeoutMs: 8000,
  });
  const frame = await makeFrame();
  return {
    injector: harness.injector,
    call: (n) => markOf(uploader.upload(`frame-${n}.jpg`, frame)),
    async close() {
      uploader.close();
      await harness.close();
      await intake.close();
    },
  };
}

async function openGpu(): Promise<Component> {
  const inference = await openInference();
  return {
    injector: inference.services.injector,
    async call() {
      const response = await complete(inference);
      await response.text();
      return response.headers.get(FAULT_HEADER) ?? undefined;
    },
    close: () => inference.close(),
  };
}

async function openCamera(): Promise<Component> {
  const intake = await makeBench();
  const faults = new UploadFaults();
  const injector = new FaultInjector({ effect: faults });
  const account = { user: CAMERA, password: intake.password, timeoutMs: 8000 };
  const uploader = new FtpUploader({ host: '127.0.0.1', port: intake.intake.ftpPort, ...account });
  const frame = await makeFrame();
  return {
    injector,
    // As a camera does: what is broken off does not arrive.
    async call(n) {
      const name = `frame-${n}.jpg`;
      const broken = faults.broken(injector, name);
      if (!broken) {
        expect(await uploader.upload(name, frame)).not.toBeNull();
        return undefined;
      }
      await expect(uploader.breakOff(name, frame, broken)).rejects.toThrow();
      return broken.how === 'stall' ? 'neighbour' : MINE;
    },
    async close() {
      uploader.close();
      await injector.close();
      await intake.close();
    },
  };
}

const CASES: readonly Case[] = [
  { service: 'yolo26', type: 'server_error', neighbour: 'intermittent', calls: 60, open: openHttp },
  { service: 'redis', type: 'error_reply', neighbour: 'intermittent', calls: 60, open: openRedis },
  { service: 'database', type: 'query_error', neighbour: 'intermittent', calls: 40, open: openPostgres },
  // An error on connect would be a call of its own, after which there is no upload.
  { service: 'ftp', type: 'intermittent', neighbour: 'latency', calls: 14, open: openFtp },
  { service: 'gpu', type: 'server_error', neighbour: 'intermittent', calls: 10, open: openGpu },
  { service: 'ftp', type: 'incomplete_upload', neighbour: 'upload_timeout', calls: 14, open: openCamera },
];

const NEIGHBOUR_PARAMS: Readonly<Record<string, object>> = {
  upload_timeout: { stallMs: 1000 },
  latency: { latencyMs: 1 },
};

it.each(CASES)(
  '$service/$type: the same seed shows its client the same verdicts, also with a neighbour halfway',
  { timeout: 60_000 },
  async ({ service, type, neighbour, calls, open }) => {
    const component = await open();
    const { injector, call } = component;
    const arm = (id: string, name: string, ratio: number, seed: number) =>
      injector.arm({
        id,
        version: 1,
        service,
        type: name,
        params: validateFault(service, name, NEIGHBOUR_PARAMS[name] ?? {}).params,
        ratio,
        seed,
        ttlMs: 120_000,
      });
    const script = async (seed: number, withNeighbour: boolean) => {
      const seen: boolean[] = [];
      await arm(MINE, type, RATIO, seed);
      for (let n = 0; n < calls; n++) {
        if (withNeighbour && n === calls / 2) await arm('neighbour', neighbour, 0.2, 3);
        seen.push((await call(n)) === MINE);
      }
      await injector.endAll('stopped');
      return seen;
    };
    try {
      const expected = Array.from({ length: calls }, (_, n) => drawFor(11, type, service, n) < RATIO);
      expect(await script(11, false)).toEqual(expected);
      expect(await script(11, true)).toEqual(expected);
    } finally {
      await component.close();
    }
  },
);
