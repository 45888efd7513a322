import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import type { ServiceProxy } from './service-proxy.ts';

let server: Server;
let harness: ProxyHarness;
let yolo26: ServiceProxy;
let nemotron: ServiceProxy;

beforeEach(async () => {
  server = createServer((_incoming, response) => response.end('fine'));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const upstream = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  harness = startProxyHarness();
  yolo26 = await harness.open('yolo26', upstream);
  nemotron = await harness.open('nemotron', upstream);
});
afterEach(async () => {
  await harness.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = (proxy: ServiceProxy) =>
  fetch(`http://127.0.0.1:${proxy.port}/health`).then(
    async (response) => `${response.status} ${await response.text()}`,
    (error: Error & { cause?: NodeJS.ErrnoException }) => error.cause?.code ?? error.message,
  );

describe('ServiceProxy', () => {
  it('arms network faults on the chosen services only, and on all when none is chosen', async () => {
    const chosen = await harness.arm('network', 'unavailable', { params: { services: ['yolo26'] } });
    expect(await get(yolo26)).toBe('ECONNREFUSED');
    expect(await get(nemotron)).toBe('200 fine');
    await harness.end(chosen);
    const all = await harness.arm('network', 'unavailable');
    expect([await get(yolo26), await get(nemotron)]).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    await harness.end(all);
    expect([await get(yolo26), await get(nemotron)]).toEqual(['200 fine', '200 fine']);
  });

  it('stays closed until the last fault that closes it has ended', async () => {
    const own = await harness.arm('yolo26', 'unavailable');
    const network = await harness.arm('network', 'connection_error');
    await harness.end(own);
    expect(await get(yolo26)).toBe('ECONNREFUSED');
    expect(await get(nemotron)).toBe('ECONNREFUSED');
    await harness.end(network);
    expect(await get(yolo26)).toBe('200 fine');
  });

  it('follows a change of strength', async () => {
    const id = await harness.arm('yolo26', 'server_error', { params: { status: 500 } });
    expect(await get(yolo26)).toMatch(/^500/);
    const [fault] = harness.injector.all();
    if (!fault) throw new Error('No fault is armed');
    await harness.injector.change({ ...fault, version: 2, params: { ...fault.params, status: 502 } });
    expect(await get(yolo26)).toMatch(/^502/);
    await harness.injector.change({ ...fault, version: 3, ratio: 0 });
    expect(await get(yolo26)).toBe('200 fine');
    await harness.end(id);
  });

  it('resets a share of the connections, and says that it cannot refuse them', async () => {
    await harness.arm('yolo26', 'connection_error', { ratio: 0.5, seed: 1 });
    const outcomes = new Set<string>();
    for (let n = 0; n < 20; n++) {
      const response = await fetch(`http://127.0.0.1:${yolo26.port}/`, {
        headers: { connection: 'close' },
      }).then(
        () => 'ok',
        () => 'reset',
      );
      outcomes.add(response);
    }
    expect(outcomes).toEqual(new Set(['ok', 'reset']));
    expect(harness.injector.activity()[0]?.warning).toContain('accepted, then reset');
  });

  it('waits for its port at the end of a fault when somebody else has it', async () => {
    const id = await harness.arm('yolo26', 'unavailable');
    const thief = createTcpServer().listen(yolo26.port, '127.0.0.1');
    await new Promise((resolve) => thief.once('listening', resolve));
    const ending = harness.end(id);
    setTimeout(() => thief.close(), 100);
    await ending;
    expect(await get(yolo26)).toBe('200 fine');
  });

  it('ends every fault when the control process falls silent or another one answers', async () => {
    harness.injector.heartbeat('run-1');
    await harness.arm('yolo26', 'unavailable');
    await harness.arm('nemotron', 'server_error');
    harness.injector.heartbeat('run-2');
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 5000);
    await vi.waitFor(async () => expect(await get(yolo26)).toBe('200 fine'), 5000);
    expect(await get(nemotron)).toBe('200 fine');
  });

  it('resets its client when the service itself is not there', async () => {
    const gone = await harness.open('yolo26', { host: '127.0.0.1', port: 1 });
    expect(await get(gone)).toMatch(/ECONNRESET|UND_ERR_SOCKET/);
    expect(harness.injector.activity()).toEqual([]);
  });
});

describe('Encrypted connections', () => {
  const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
  const cases = [
    {
      service: 'database' as const,
      greeting: '',
      ask: SSL_REQUEST,
      agree: 'S',
    },
    {
      service: 'ftp' as const,
      greeting: '220 hello\r\n',
      ask: Buffer.from('AUTH TLS\r\n'),
      agree: '234 go on\r\n',
    },
  ];

  it.each(cases)('pass through the $service proxy, faults act on TCP and say so', async (each) => {
    const echo = createTcpServer((socket) => {
      socket.write(each.greeting);
      socket.once('data', () => {
        socket.write(each.agree);
        socket.pipe(socket);
      });
      socket.on('error', () => {});
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => echo.once('listening', resolve));
    const { port } = echo.address() as AddressInfo;
    const proxy = await harness.open(each.service, { host: '127.0.0.1', port });
    const client = connect(proxy.port, '127.0.0.1');
    let text = '';
    client.on('data', (part) => {
      text += part.toString('latin1');
    });
    client.on('error', () => {});
    const closed = new Promise((resolve) => client.once('close', resolve));
    await vi.waitFor(() => expect(text).toBe(each.greeting), 5000);
    client.write(each.ask);
    await vi.waitFor(() => expect(text).toBe(each.greeting + each.agree), 5000);
    client.write('\x16secret');
    await vi.waitFor(() => expect(text).toBe(`${each.greeting}${each.agree}\x16secret`), 5000);
    await harness.arm(each.service, 'server_error');
    expect(harness.injector.activity()[0]?.warning).toBe('encrypted bytes: acting on TCP only');
    client.write('more');
    await closed;
    echo.close();
  });
});
