import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Client as FtpClient } from 'basic-ftp';
import { FtpSrv } from 'ftp-srv';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePort } from '#server/embedded/free-port.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { faultTypesFor } from '../faults/catalogue.ts';
import { actionOf } from './actions.ts';

/** One open connection of a real client. */
interface Opened {
  /** A small call, and its answer. */
  ask(): Promise<unknown>;
  /** A call that a fault may answer or cut. */
  work(): Promise<unknown>;
  /** Some KiB in one direction. */
  carry(): Promise<unknown>;
  /** Says good-bye and waits for the server's end. */
  leave(): Promise<unknown>;
}
type Protocol = 'database' | 'ftp';

let postgres: TestPostgres;
let ftp: FtpSrv;
let root: string;
let harness: ProxyHarness;
const ports: Record<Protocol, number> = { database: 0, ftp: 0 };
let discard: (() => void)[] = [];

/** ftp-srv logs through bunyan unless it gets something with `child`. */
const silent = { info() {}, warn() {}, error() {}, debug() {}, trace() {}, fatal() {}, child: () => silent };

beforeAll(async () => {
  postgres = await startTestPostgres();
  root = await mkdtemp(join(tmpdir(), 'brownout-ftp-'));
  const port = await findFreePort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const;
  const before = signals.map((signal) => process.listeners(signal));
  ftp = new FtpSrv({
    url: `ftp://127.0.0.1:${port}`,
    pasv_url: '127.0.0.1',
    pasv_min: 24_500,
    pasv_max: 24_700,
    anonymous: true,
    log: silent as never,
  });
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!before[index]?.includes(listener)) process.off(signal, listener);
    }
  }
  ftp.on('login', (_data, resolve) => resolve({ root }));
  ftp.on('client-error', () => {});
  await ftp.listen();
  harness = startProxyHarness();
  ports.database = (await harness.open('database', postgres)).port;
  ports.ftp = (await harness.open('ftp', { host: '127.0.0.1', port })).port;
});
afterEach(async () => {
  await harness.endAll();
  for (const run of discard) run();
  discard = [];
});
afterAll(async () => {
  await harness.close();
  await ftp.close();
  await postgres.close();
  await rm(root, { recursive: true, force: true });
});

const open: Record<Protocol, () => Promise<Opened>> = {
  async database() {
    const { user, password, database } = postgres;
    const client = new pg.Client({
      host: '127.0.0.1',
      port: ports.database,
      user,
      password,
      database,
      connectionTimeoutMillis: 3000,
    });
    client.on('error', () => {});
    await client.connect();
    discard.push(() => void client.end().catch(() => {}));
    return {
      ask: () => client.query('SELECT 2'),
      work: () => client.query('SELECT 2'),
      carry: () => client.query("SELECT repeat('x', 2048)"),
      leave: () => client.end(),
    };
  },
  async ftp() {
    const client = new FtpClient(5000);
    discard.push(() => client.close());
    await client.access({ host: '127.0.0.1', port: ports.ftp, user: 'anonymous', password: 'x' });
    return {
      ask: () => client.send('NOOP'),
      work: () => client.uploadFrom(Readable.from(['x']), 'small'),
      carry: () => client.uploadFrom(Readable.from([Buffer.alloc(2048)]), 'large'),
      leave: () =>
        new Promise((resolve) => {
          client.ftp.socket.once('end', resolve);
          client.ftp.socket.write('QUIT\r\n');
        }),
    };
  },
};

async function tookMs(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

const fails = async (work: Promise<unknown>) => {
  await expect(work).rejects.toThrow();
};

async function isHeld(opened: Opened): Promise<void> {
  const quiet = new Promise((resolve) => setTimeout(resolve, 300, 'quiet'));
  const asked = opened.ask().then(
    () => 'answered',
    () => 'failed',
  );
  expect(await Promise.race([asked, quiet])).toBe('quiet');
}

/** An open connection ends, and a new one is not had. */
async function isCut(opened: Opened, protocol: Protocol): Promise<void> {
  await vi.waitFor(() => fails(opened.ask()), 8000);
  await fails(open[protocol]());
}

/** What each network type does to a connection that is open when it begins. */
const EFFECTS: Readonly<
  Record<
    string,
    { params?: object; ratio?: number; shows: (opened: Opened, protocol: Protocol) => Promise<void> }
  >
> = {
  latency: {
    params: { latencyMs: 300 },
    shows: async (opened) => expect(await tookMs(opened.ask())).toBeGreaterThan(295),
  },
  bandwidth: {
    params: { rateKibPerSecond: 2 },
    shows: async (opened) => expect(await tookMs(opened.carry())).toBeGreaterThan(700),
  },
  packet_loss: { ratio: 1, shows: (opened) => fails(opened.work()) },
  server_error: { shows: (opened) => fails(opened.work()) },
  intermittent: { ratio: 1, shows: (opened) => fails(opened.work()) },
  timeout: { params: { channel: 'control' }, shows: isHeld },
  partition: { shows: isHeld },
  unavailable: { shows: isCut },
  connection_error: { shows: isCut },
  flapping: { params: { offMs: 60_000, onMs: 1000 }, shows: isCut },
  slow_close: {
    params: { delayMs: 600 },
    shows: async (opened) => expect(await tookMs(opened.leave())).toBeGreaterThan(590),
  },
};

describe.each(['database', 'ftp'] as const)('a network fault on a connection of %s', (protocol) => {
  it.each(Object.entries(EFFECTS))('%s', async (type, { params, ratio, shows }) => {
    const opened = await open[protocol]();
    await opened.ask();
    const id = await harness.arm('network', type, {
      params: { ...params, services: [protocol] },
      ...(ratio === undefined ? {} : { ratio }),
    });
    await shows(opened, protocol);
    expect(harness.injector.activity().find((each) => each.id === id)?.hits).toBeGreaterThan(0);
    await harness.end(id);
    const after = await open[protocol]();
    await vi.waitFor(async () => expect(await tookMs(after.ask())).toBeLessThan(295), 8000);
  });
});

it('covers every network type that acts in a proxy', () => {
  const acting = faultTypesFor('network').filter(({ type }) => actionOf(type) !== undefined);
  expect(acting.map(({ type }) => type).sort()).toEqual(Object.keys(EFFECTS).sort());
});
