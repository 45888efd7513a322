import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { afterEach, expect, it, vi } from 'vitest';
import { Agent } from '#lib/agent/agent.ts';
import type { FaultActivity } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';

const close: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of close.splice(0).reverse()) await each();
});

it('tells what its faults have hit as well as its report: neither pushes the other off the line', async () => {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  close.push(() => io.close());
  let reports = 0;
  let latest: FaultActivity[] = [];
  io.of('/agent').on('connection', (socket) => {
    socket.on('report', () => reports++);
    socket.on('activity', ({ activity }: { activity: FaultActivity[] }) => {
      latest = activity;
    });
  });
  const injector = new FaultInjector({
    effect: { arm: () => {}, change: () => {}, end: () => {} },
  });
  const agent = new Agent({
    controlUrl: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    secret: 'of this test',
    name: 'proxy',
    injector,
    report: () => ({ kind: 'proxy', report: { listeners: [] } }),
  });
  close.push(() => agent.close());
  agent.start();
  injector.heartbeat('run');
  await injector.arm({
    id: 'f1',
    version: 1,
    service: 'redis',
    type: 'timeout',
    params: {},
    ratio: 1,
    seed: 1,
    match: undefined,
    ttlMs: 60_000,
  });
  injector.recordHit('f1', 'connection');
  await vi.waitFor(() => expect(latest[0]).toMatchObject({ id: 'f1', hits: 1 }), { timeout: 10_000 });
  await vi.waitFor(() => expect(reports).toBeGreaterThan(1), { timeout: 10_000 });
});
