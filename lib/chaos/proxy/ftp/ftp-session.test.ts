import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Client, enterPassiveModeIPv4 } from 'basic-ftp';
import { FtpSrv } from 'ftp-srv';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePort } from '#server/embedded/free-port.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import type { ServiceProxy } from '../service-proxy.ts';

let root: string;
let server: FtpSrv;
let harness: ProxyHarness;
let proxy: ServiceProxy;
const clients: Client[] = [];

/** ftp-srv logs through bunyan unless it gets something with `child`. */
const silent = { info() {}, warn() {}, error() {}, debug() {}, trace() {}, fatal() {}, child: () => silent };

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'brownout-ftp-'));
  const port = await findFreePort();
  const before = new Map(
    (['SIGINT', 'SIGTERM', 'SIGQUIT'] as const).map((signal) => [signal, process.listeners(signal)]),
  );
  server = new FtpSrv({
    url: `ftp://127.0.0.1:${port}`,
    pasv_url: '127.0.0.1',
    pasv_min: 24_000,
    pasv_max: 24_400,
    anonymous: true,
    log: silent as never,
  });
  for (const [signal, known] of before) {
    for (const listener of process.listeners(signal)) {
      if (!known.includes(listener)) process.off(signal, listener);
    }
  }
  server.on('login', (_data, resolve) => resolve({ root }));
  server.on('client-error', () => {});
  await server.listen();
  harness = startProxyHarness();
  proxy = await harness.open('ftp', { host: '127.0.0.1', port });
});
afterEach(async () => {
  await harness.endAll();
  for (const client of clients.splice(0)) client.close();
  await vi.waitFor(() => expect(proxy.connections).toBe(0), 8000);
});
afterAll(async () => {
  await harness.close();
  await server.close();
  await rm(root, { recursive: true, force: true });
});

async function login(timeoutMs = 5000): Promise<Client> {
  const client = new Client(timeoutMs);
  clients.push(client);
  await client.access({ host: '127.0.0.1', port: proxy.port, user: 'anonymous', password: 'x' });
  return client;
}

const upload = (client: Client, name: string, bytes: Buffer) =>
  client.uploadFrom(Readable.from([bytes]), name);
const PHOTO = Buffer.alloc(300_000, 'photo');

async function download(client: Client, name: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const sink = new Writable({
    write(part: Buffer, _encoding, done) {
      parts.push(part);
      done();
    },
  });
  await client.downloadTo(sink, name);
  return Buffer.concat(parts);
}

describe('FtpSession', () => {
  it('passes uploads, sizes, renames, listings and downloads through its own data ports', async () => {
    const client = await login();
    await upload(client, 'a.part', PHOTO);
    expect(await client.size('a.part')).toBe(PHOTO.length);
    await client.rename('a.part', 'a.jpg');
    expect((await client.list()).map((file) => file.name)).toContain('a.jpg');
    expect((await download(client, 'a.jpg')).equals(PHOTO)).toBe(true);
    expect((await readFile(join(root, 'a.jpg'))).equals(PHOTO)).toBe(true);
    expect(proxy.traffic.totals.bytes).toBeGreaterThan(2 * PHOTO.length);
  });

  it('rewrites the older PASV reply as well', async () => {
    const client = await login();
    client.prepareTransfer = enterPassiveModeIPv4;
    const before = proxy.traffic.totals.bytes;
    await upload(client, 'pasv.jpg', PHOTO);
    expect((await stat(join(root, 'pasv.jpg'))).size).toBe(PHOTO.length);
    expect(proxy.traffic.totals.bytes - before).toBeGreaterThan(PHOTO.length);
  });

  it('answers 451 to an upload and leaves the session usable', async () => {
    const client = await login();
    const id = await harness.arm('ftp', 'intermittent', { ratio: 1 });
    await expect(upload(client, 'refused.jpg', PHOTO)).rejects.toMatchObject({
      code: 451,
      message: expect.stringContaining('[brownout:'),
    });
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 1, hitsByKind: { STOR: 1 } });
    await harness.end(id);
    expect(await client.pwd()).toBe('/');
    await upload(client, 'after.jpg', PHOTO);
    expect(await client.size('after.jpg')).toBe(PHOTO.length);
    expect(await readdir(root)).not.toContain('refused.jpg');
  });

  it('owes nothing for an empty line, and takes no line inside a reply for its end', async () => {
    const client = await login();
    client.ftp.socket.write('\r\n');
    await client.send('HELP');
    await client.send('FEAT');
    const id = await harness.arm('ftp', 'intermittent', { ratio: 1 });
    await expect(upload(client, 'refused.jpg', PHOTO)).rejects.toMatchObject({ code: 451 });
    await harness.end(id);
    await harness.arm('ftp', 'connection_error');
    await vi.waitFor(() => expect(proxy.connections).toBe(0), 8000); // at a boundary, so without delay
  });

  it('holds an upload in the middle, then cuts it so that nobody takes a part for the whole', async () => {
    const client = await login();
    const id = await harness.arm('ftp', 'timeout', { params: { delayMs: 20_000, channel: 'data' } });
    const uploading = expect(upload(client, 'held.jpg', PHOTO)).rejects.toThrow();
    await vi.waitFor(async () => {
      const { size } = await stat(join(root, 'held.jpg'));
      expect(size).toBeGreaterThan(0);
      expect(size).toBeLessThan(PHOTO.length);
    }, 8000);
    await harness.end(id);
    await uploading;
    await upload(await login(), 'held.jpg', PHOTO);
    expect((await stat(join(root, 'held.jpg'))).size).toBe(PHOTO.length);
  });

  it('cuts a held upload after its delay', async () => {
    const client = await login();
    await harness.arm('ftp', 'timeout', {
      params: { delayMs: 200, channel: 'data' },
      match: { file: 'late' },
    });
    await upload(client, 'intime.jpg', PHOTO);
    const startedAt = performance.now();
    await expect(upload(client, 'late.jpg', PHOTO)).rejects.toThrow();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190);
  });

  it('resets an upload under packet loss', async () => {
    const client = await login();
    await harness.arm('network', 'packet_loss', { ratio: 1 });
    await expect(upload(client, 'lost.jpg', PHOTO)).rejects.toThrow();
    expect(client.closed).toBe(true);
  });
});
