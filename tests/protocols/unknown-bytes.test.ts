import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import { BareServer, dial, Reader } from '#tests/support/flow.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';

/** The beginning of a TLS ClientHello, with a line end in it as a real one may have. */
const HELLO = Buffer.from('\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03\n\r\n\x00abc', 'latin1').toString(
  'latin1',
);
const SSL_REQUEST = '\0\0\0\x08\x04\xd2\x16\x2f';

interface Case {
  service: ProxiedService;
  name: string;
  /** Question and answer that are understood, before the others come. */
  before?: readonly [question: string, answer: string];
  bytes: string;
  warning: string;
}

const CASES: readonly Case[] = [
  ...(['redis', 'pubsub', 'database', 'yolo26', 'nemotron', 'ftp'] as const).map((service) => ({
    service,
    name: 'a TLS handshake',
    bytes: HELLO,
    warning: 'encrypted bytes',
  })),
  {
    service: 'database',
    name: 'a TLS handshake after TLS was declined',
    before: [SSL_REQUEST, 'N'],
    bytes: HELLO,
    warning: 'encrypted bytes',
  },
  {
    service: 'database',
    name: 'a TLS handshake after TLS was agreed on',
    before: [SSL_REQUEST, 'S'],
    bytes: HELLO,
    warning: 'encrypted bytes',
  },
  { service: 'redis', name: 'rubbish', bytes: '\xff\xfe\0\x01rubbish\r\n', warning: 'not RESP' },
  {
    service: 'redis',
    name: 'rubbish after a command',
    before: ['PING\r\n', '+PONG\r\n'],
    bytes: '*2\r\n$x\r\nrubbish',
    warning: 'not RESP',
  },
  { service: 'database', name: 'rubbish', bytes: 'GET / HTTP/1.1\r\n\r\n', warning: 'not PostgreSQL' },
  { service: 'yolo26', name: 'rubbish', bytes: '{"not": "HTTP"}\r\n\r\n', warning: 'not HTTP' },
  { service: 'ftp', name: 'rubbish', bytes: '\x80\x81\0rubbish', warning: 'not FTP' },
];

let harness: ProxyHarness;
const ends: (() => void)[] = [];

beforeEach(() => {
  harness = startProxyHarness();
});
afterEach(async () => {
  await harness.close();
  for (const end of ends.splice(0)) end();
});

/** A connection on which both sides have got whatever the other one sent. */
async function unknown({ service, before, bytes }: Case) {
  const server = new BareServer();
  const proxy = await harness.open(service, await server.listen());
  const client = dial(proxy.port);
  const [question, answer] = before ?? ['', ''];
  client.write(Buffer.from(question || bytes, 'latin1'));
  const upstream = await server.connection();
  ends.push(
    () => client.destroy(),
    () => upstream.destroy(),
    () => server.close(),
  );
  const [toServer, toClient] = [new Reader(upstream, true), new Reader(client, true)];
  const arrive = async (atServer: string, atClient: string) => {
    await vi.waitFor(() => expect([toServer.text, toClient.text]).toEqual([atServer, atClient]), 10_000);
  };
  if (before) {
    await arrive(question, '');
    upstream.write(Buffer.from(answer, 'latin1'));
    await arrive(question, answer);
    client.write(Buffer.from(bytes, 'latin1'));
  }
  await arrive(question + bytes, answer);
  upstream.write(Buffer.from(bytes, 'latin1'));
  await arrive(question + bytes, answer + bytes);
  return { client, upstream, toServer, toClient };
}

const warningOf = (id: string) => harness.injector.activity().find((each) => each.id === id)?.warning;

describe.each(CASES)('$name on the port of $service', (each) => {
  it('passes as it is; faults act on TCP and say so', async () => {
    const { client, toServer } = await unknown(each);
    const warning = `${each.warning}: acting on TCP only`;

    const latency = await harness.arm(each.service, 'latency', { params: { latencyMs: 150 } });
    expect(warningOf(latency)).toBe(warning);
    const fromBytes = toServer.bytes;
    const startedMs = performance.now();
    client.write('late');
    await vi.waitFor(() => expect(toServer.bytes).toBe(fromBytes + 4), { timeout: 10_000, interval: 5 });
    expect(performance.now() - startedMs).toBeGreaterThan(145);
    expect(harness.injector.activity()[0]?.hitsByKind).toEqual({ bytes: 1 });
    await harness.end(latency);

    const [type, ended] = ['intermittent', new Promise((resolve) => client.once('close', resolve))];
    const reset = await harness.arm(each.service, type, { ratio: 1 });
    expect(warningOf(reset)).toBe(warning);
    if (each.service === 'pubsub') return; // its own error replies fit publishing only
    client.write('never');
    await ended;
    expect(toServer.bytes).toBe(fromBytes + 4);
  });
});

it('A held connection of encrypted bytes passes nothing more', async () => {
  const { client, toServer } = await unknown(CASES[0] as Case);
  const before = toServer.bytes;
  const id = await harness.arm('redis', 'timeout', { params: { delayMs: 300 } });
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.on('end', () => client.end());
  client.write('held');
  await vi.waitFor(() => expect(harness.injector.activity()[0]?.hits).toBe(1), 10_000);
  await closed;
  expect(toServer.bytes).toBe(before);
  await harness.end(id);
});
