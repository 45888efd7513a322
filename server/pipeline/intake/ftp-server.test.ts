import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Client } from 'basic-ftp';
import { expect, it } from 'vitest';
import { createLogger } from '../../logging.ts';
import { startFtpServer } from './ftp-server.ts';
import type { IncomingUploads } from './incoming-uploads.ts';

/** Connects and resets before the other side has accepted: by then it has no peer any more. */
const CONNECT_AND_RESET = `
  const { workerData } = require('node:worker_threads');
  const { createConnection } = require('node:net');
  const done = new Int32Array(workerData.done);
  const socket = createConnection(workerData.port, '127.0.0.1', () => {
    socket.resetAndDestroy();
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  });
`;

it('survives a data connection that is gone before it is accepted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'brownout-ftp-'));
  const uploads = { openSession: () => ({}), closeSession() {} } as unknown as IncomingUploads;
  const server = await startFtpServer({
    host: '127.0.0.1',
    port: 0,
    passivePorts: { min: 20_000, max: 29_999 },
    credentials: { cam: 'secret' },
    uploads,
    logger: createLogger('test', 'silent'),
  });
  const client = new Client(2000);
  try {
    await client.access({ host: '127.0.0.1', port: server.port, user: 'cam', password: 'secret' });
    const [high = 0, low = 0] =
      (await client.send('PASV')).message
        .match(/(\d+),(\d+)\)/)
        ?.slice(1)
        .map(Number) ?? [];
    const done = new SharedArrayBuffer(4);
    const workerData = { port: high * 256 + low, done };
    const worker = new Worker(CONNECT_AND_RESET, { eval: true, workerData });
    await once(worker, 'online');
    Atomics.wait(new Int32Array(done), 0, 0, 5000); // nothing is accepted meanwhile
    await once(worker, 'exit');
    expect((await client.send('NOOP')).code).toBe(200);
    const another = createConnection(server.port, '127.0.0.1');
    expect(String((await once(another, 'data'))[0])).toMatch(/^220/);
    another.destroy();
  } finally {
    client.close();
    await server.close();
    await rm(directory, { recursive: true });
  }
});

it('answers commands in order and one by one, however they are cut, and one that lacks its argument', async () => {
  const uploads = { openSession: () => ({}), closeSession() {} } as unknown as IncomingUploads;
  const server = await startFtpServer({
    host: '127.0.0.1',
    port: 0,
    passivePorts: { min: 20_000, max: 29_999 },
    credentials: { cam: 'secret' },
    uploads,
    logger: createLogger('test', 'silent'),
  });
  const socket = createConnection({ port: server.port, host: '127.0.0.1', noDelay: true });
  try {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const pieces = ['USER cam\r\nPA', 'SS secret\r\nPASV\r\nNO', 'OP\r\n', 'OPTS\r\n\r\nPWD\n', 'TYPE I\r\n'];
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise(setImmediate);
    }
    const codes = ['220', '331', '230', '227', '200', '501', '257', '200'];
    const finals = () => text.split('\r\n').flatMap((line) => /^(\d{3}) /.exec(line)?.[1] ?? []);
    await expect.poll(finals, { timeout: 10_000 }).toHaveLength(codes.length);
    expect(finals()).toEqual(codes);
  } finally {
    socket.destroy();
    await server.close();
  }
});
