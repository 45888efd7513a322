import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { dieWithParent, findProgram } from './run-as.ts';
import type { ServerCommand } from './server-command.ts';

export interface RedisOptions {
  directory: string;
  port: number;
}

/** @throws {Error} in one line when there is no redis-server on PATH */
export function prepareRedis({ directory, port }: RedisOptions): ServerCommand {
  const program = findProgram('redis-server');
  if (!program)
    throw new Error(
      'redis-server is not on PATH: install it (Debian: apt install redis-server) or set REDIS_URL',
    );
  mkdirSync(directory, { recursive: true });
  const wrapped = dieWithParent('TERM', program, [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    directory,
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
    '--daemonize',
    'no',
  ]);
  return { ...wrapped, cwd: '/', stopSignal: 'SIGTERM' };
}

/** Resolves once the server answers PING, which it refuses while it loads its file. */
export async function redisReady(port: number, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await answersPing(port))) {
    if (performance.now() > deadline)
      throw new Error(`Redis on port ${port} did not answer within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (bytes) => finish(bytes.toString('latin1').startsWith('+PONG')));
  });
}
