import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import { BareServer, dial, Reader, settled, Writer } from '#tests/support/flow.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';

const MIB = 1024 * 1024;
const SIZE = 48 * MIB;
/** What the proxy itself may keep (8 MiB under latency), and the kernel's buffers of two connections, which it lets grow. */
const BOUND_BYTES = 40 * MIB;

let harness: ProxyHarness;
const ends: (() => void)[] = [];

beforeEach(() => {
  harness = startProxyHarness();
});
afterEach(async () => {
  await harness.close();
  for (const end of ends.splice(0)) end();
});

interface Protocol {
  service: ProxiedService;
  /** What both say before the flood. */
  before: readonly (readonly ['client' | 'server', string])[];
  /** What begins one message that is as long as the flood, by who sends it. */
  head: { client: string; server: string };
}

const uint32 = (value: number) =>
  String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  Redis: {
    service: 'redis',
    before: [['client', '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n']],
    head: { client: `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${SIZE}\r\n`, server: `$${SIZE}\r\n` },
  },
  PostgreSQL: {
    service: 'database',
    before: [
      ['client', `${uint32(9)}\0\x03\0\0\0`],
      ['server', `R${uint32(8)}\0\0\0\0Z${uint32(5)}I`],
    ],
    head: { client: `d${uint32(SIZE + 4)}`, server: `D${uint32(SIZE + 4)}` },
  },
  HTTP: {
    service: 'yolo26',
    before: [['client', `POST / HTTP/1.1\r\ncontent-length: ${SIZE}\r\n\r\n`]],
    head: { client: '', server: `HTTP/1.1 200 OK\r\ncontent-length: ${SIZE}\r\n\r\n` },
  },
  'Encrypted bytes': {
    service: 'redis',
    before: [
      ['client', '\x16\x03\x01hello'],
      ['server', '\x16\x03\x03hello'],
    ],
    head: { client: '', server: '' },
  },
  'FTP in TLS': {
    service: 'ftp',
    before: [['client', '\x16\x03\x01\x02']],
    head: { client: '', server: '' },
  },
};

/** A client and a server that have said what comes before. */
async function conversation({ service, before }: Protocol) {
  const server = new BareServer();
  const proxy = await harness.open(service, await server.listen());
  const client = dial(proxy.port);
  ends.push(
    () => client.destroy(),
    () => server.close(),
  );
  let upstream: Socket | undefined;
  const connected = server.connection().then((socket) => {
    upstream = socket;
    ends.push(() => socket.destroy());
  });
  for (const [from, text] of before) {
    if (from === 'server') await connected;
    const [source, target] = from === 'client' ? [client, () => upstream] : [upstream, () => client];
    source?.write(Buffer.from(text, 'latin1'));
    if (from === 'client') await connected;
    const socket = target();
    if (!socket) throw new Error('The server was not dialled');
    const heard = new Reader(socket);
    await vi.waitFor(() => expect(heard.bytes).toBe(text.length), 10_000);
    socket.removeAllListeners('data');
    socket.pause();
  }
  await connected;
  return { client, server: upstream as unknown as Socket, proxy };
}

/** One side of each conversation floods under a fault, and the other does not read. */
async function stuck(names: readonly string[], from: 'client' | 'server', arm?: () => Promise<unknown>) {
  const protocols = names.map((name) => PROTOCOLS[name] as Protocol);
  const conversations = await Promise.all(protocols.map(conversation));
  await arm?.();
  return Promise.all(
    conversations.map(async ({ client, server }, index) => {
      const head = protocols[index]?.head[from] ?? '';
      const [source, target] = from === 'client' ? [client, server] : [server, client];
      target.pause();
      source.resume();
      const writer = new Writer(source, SIZE, head);
      const acceptedBytes = await settled('the writer', () => writer.acceptedBytes);
      expect(acceptedBytes).toBeGreaterThan(0);
      expect(acceptedBytes).toBeLessThan(BOUND_BYTES);
      const reader = new Reader(target);
      target.pause();
      return { writer, source, target, reader, sizeBytes: SIZE + head.length };
    }),
  );
}

type Flow = Awaited<ReturnType<typeof stuck>>[number];

async function arrivesWhole({ writer, reader, target, sizeBytes }: Flow): Promise<void> {
  target.resume();
  await vi.waitFor(() => expect(reader.bytes).toBe(sizeBytes), 60_000);
  expect(reader.digest).toBe(writer.digest);
}

const ALL = Object.keys(PROTOCOLS);

describe('A writer stops when nobody reads on the other side, and nothing is lost', {
  timeout: 120_000,
}, () => {
  it.each(['client', 'server'] as const)('idle, the %s writing', async (from) => {
    const flows = await stuck(ALL, from);
    await Promise.all(flows.map(arrivesWhole));
  });

  it('under latency that ends', async () => {
    const flows = await stuck(['Redis', 'PostgreSQL', 'Encrypted bytes'], 'client', () =>
      harness.arm('network', 'latency', { params: { latencyMs: 60_000 } }),
    );
    for (const { reader } of flows) expect(reader.bytes).toBe(0);
    await harness.endAll();
    await Promise.all(flows.map(arrivesWhole));
  });

  it.each(['client', 'server'] as const)(
    'under a narrow bandwidth that ends, the %s writing',
    async (from) => {
      const flows = await stuck(['HTTP', 'FTP in TLS'], from, () =>
        harness.arm('network', 'bandwidth', { params: { rateKibPerSecond: 64 } }),
      );
      await harness.endAll();
      await Promise.all(flows.map(arrivesWhole));
    },
  );

  it.each(['client', 'server'] as const)(
    'held: it is reset at the end, and nothing of it has come through, the %s writing',
    async (from) => {
      const flows = await stuck(ALL, from, () => harness.arm('network', 'partition'));
      for (const { target } of flows) target.resume();
      const closed = flows.map(({ source }) => new Promise((resolve) => source.once('close', resolve)));
      await harness.endAll();
      await Promise.all(closed);
      for (const { reader } of flows) expect(reader.bytes).toBe(0);
    },
  );

  it('when every answer is one of ours', async () => {
    const { client, server, proxy } = await conversation(PROTOCOLS['Redis'] as Protocol);
    server.write('$-1\r\n');
    const first = new Reader(client);
    await vi.waitFor(() => expect(first.bytes).toBe(5), 10_000);
    await harness.arm('redis', 'server_error');
    const answer = '-ERR injected by fault server_error [brownout:f1]\r\n';
    const count = 150_000;
    const reader = new Reader(client);
    client.pause();
    const chunk = Buffer.from('ECHO x\r\n'.repeat(1000));
    for (let n = 0; n < count / 1000; n++) client.write(chunk);
    const hits = await settled('the proxy', () => proxy.traffic.totals.hits);
    expect(hits).toBeGreaterThan(0);
    expect(hits).toBeLessThan(count);
    client.resume();
    await vi.waitFor(() => expect(reader.bytes).toBe(count * answer.length), 30_000);
    expect(reader.digest).toBe(createHash('sha256').update(answer.repeat(count)).digest('hex'));
  });
});

describe('What a fault has taken is passed on when it is changed', () => {
  const client = Array.from(
    { length: 500 },
    (_, n) => `*2\r\n$4\r\nECHO\r\n$4\r\n${String(n).padStart(4, '0')}\r\n`,
  );
  const CASES = [
    ['latency', { latencyMs: 60_000 }, { latencyMs: 1 }],
    ['bandwidth', { rateKibPerSecond: 1 }, { rateKibPerSecond: 100_000 }],
  ] as const;

  it.each(CASES)('%s, in order and whole', async (type, params, weaker) => {
    const { client: socket, server } = await conversation(PROTOCOLS['Redis'] as Protocol);
    const reader = new Reader(server, true);
    server.resume();
    await harness.arm('network', type, { params: { ...params } });
    for (const command of client) socket.write(command);
    await vi.waitFor(() => expect(harness.injector.activity()[0]?.hits).toBeGreaterThan(0), 10_000);
    expect(reader.bytes).toBeLessThan(client.join('').length / 2);
    const [fault] = harness.injector.all();
    if (!fault) throw new Error('No fault is armed');
    await harness.injector.change({ ...fault, version: 2, params: { ...fault.params, ...weaker } });
    await vi.waitFor(() => expect(reader.text).toBe(client.join('')), 10_000);
  });

  it('slow_close: an end that waits follows a shorter delay', async () => {
    const { client: socket, server } = await conversation(PROTOCOLS['Redis'] as Protocol);
    await harness.arm('network', 'slow_close', { params: { delayMs: 60_000 } });
    const ended = new Promise((resolve) => server.once('end', resolve));
    server.resume();
    socket.end();
    await vi.waitFor(() => expect(harness.injector.activity()[0]?.hits).toBe(1), 10_000);
    const [fault] = harness.injector.all();
    if (!fault) throw new Error('No fault is armed');
    await harness.injector.change({ ...fault, version: 2, params: { ...fault.params, delayMs: 1 } });
    await ended;
  });

  it('jitter and turns do not change the order', async () => {
    const { client: socket, server } = await conversation(PROTOCOLS['Redis'] as Protocol);
    const reader = new Reader(server, true);
    server.resume();
    await harness.arm('network', 'latency', { params: { latencyMs: 20, jitterMs: 20 } });
    for (const command of client) socket.write(command);
    await vi.waitFor(() => expect(reader.bytes).toBeGreaterThan(0), 10_000);
    await harness.arm('redis', 'latency', { params: { latencyMs: 5 } });
    for (const command of client) socket.write(command);
    await vi.waitFor(() => expect(reader.text).toBe(client.join('').repeat(2)), 10_000);
  });
});
