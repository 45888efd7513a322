import { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { failureOf, isRefused, takesAtLeast } from '#tests/support/bare-connection.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { type FaultProof, proveFault } from './prove-fault.ts';
import { openRedisBench, type RedisBench } from './redis-bench.ts';

let server: TestRedis;

vi.setConfig({ maxConcurrency: 8 }); // they mostly wait

beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const prove = (type: string, proof: Omit<FaultProof<RedisBench>, 'serves'>) =>
  proveFault('redis', type, () => openRedisBench(server, 'redis'), {
    serves: async ({ client }) => (await client.ping()) === 'PONG',
    ...proof,
  });

const marked = (type: string) => `[brownout:proof-redis-${type}]`;

prove('timeout', {
  params: { delayMs: 300 },
  ttlMs: 1500,
  hitKind: 'bytes from client',
  async seesEffect({ dial, open, direct, name }) {
    const key = name();
    const fresh = dial();
    const startedMs = performance.now();
    const answers = await Promise.all([fresh.ask(`INCR ${key}\r\n`), open.ask(`INCR ${key}\r\n`)]);
    const heldMs = performance.now() - startedMs;
    if (answers.join('') !== '') return false;
    return (
      heldMs > 295 && fresh.end === 'closed' && open.end === 'closed' && (await direct.exists(key)) === 0
    );
  },
});

prove('connection_error', {
  hitKind: 'connection',
  // The other listener in front of the same Redis is gone as well: faults of Redis act on both.
  seesEffect: async ({ open, port, otherPort }) =>
    (await isRefused(port)) &&
    (await isRefused(otherPort)) &&
    open.end === 'closed' &&
    open.text === '+PONG\r\n',
});

prove('unavailable', {
  hitKind: 'connection',
  seesEffect: async ({ open, port, otherPort }) =>
    (await isRefused(port)) && (await isRefused(otherPort)) && open.end === 'reset',
});

prove('server_error', {
  hitKind: 'SET',
  async seesEffect({ client, direct, name }) {
    const key = name();
    const said = await failureOf(client.set(key, 1));
    expect(await direct.exists(key)).toBe(said ? 0 : 1);
    return said === `ERR injected by fault server_error ${marked('server_error')}`;
  },
});

// What a job queue was told must be what Redis holds: the refused jobs are not there, all others are.
prove('intermittent', {
  ttlMs: 1500,
  hitKind: /^EVALSHA$/,
  async seesEffect({ port, direct, name }) {
    const queue = new Queue(name(), {
      connection: { host: '127.0.0.1', port, maxRetriesPerRequest: 1, retryStrategy: () => 50 },
      skipVersionCheck: true,
    });
    queue.on('error', () => {});
    await queue.waitUntilReady();
    const ids = Array.from({ length: 24 }, (_, n) => `job-${n}`);
    const said = await Promise.all(ids.map((jobId) => failureOf(queue.add('work', {}, { jobId }))));
    const kept = await Promise.all(ids.map((id) => direct.exists(queue.toKey(id))));
    await queue.disconnect();
    const refused = said.filter((text) => text.includes(marked('intermittent'))).length;
    expect(kept).toEqual(said.map((text) => (text === '' ? 1 : 0)));
    return refused > 0 && refused < ids.length && said.filter((text) => text !== '').length === refused;
  },
});

prove('latency', {
  params: { latencyMs: 200 },
  ttlMs: 3000,
  hitKind: 'ECHO',
  async seesEffect({ client }) {
    if (!(await takesAtLeast(195, () => client.echo('x')))) return false;
    // Throughput is not cut: twenty at once take hardly longer than one, twenty in a row would take 4 s.
    const twenty = () => Promise.all(Array.from({ length: 20 }, () => client.echo('x')));
    return !(await takesAtLeast(2000, twenty));
  },
});

prove('error_reply', {
  hitKind: 'SET',
  async seesEffect({ client, direct, name }) {
    const key = name();
    await direct.set(key, 'before');
    const text = `OOM command not allowed when used memory > 'maxmemory'. ${marked('error_reply')}`;
    const said = await failureOf(client.set(key, 'after'));
    const transaction = await failureOf(client.multi().get(key).set(key, 'within').exec());
    if (said === '' && transaction === '') return false;
    // Reads go on, and both sides agree that nothing was written.
    return (
      said === text &&
      transaction.startsWith('EXECABORT') &&
      (await client.get(key)) === 'before' &&
      (await direct.get(key)) === 'before'
    );
  },
});

prove('connection_reset', {
  ttlMs: 1500,
  hitKind: 'INCR',
  async seesEffect({ dial, direct, name }) {
    const key = name();
    const connections = Array.from({ length: 30 }, () => dial());
    const answers = await Promise.all(connections.map((each) => each.ask(`INCR ${key}\r\n`)));
    const unanswered = connections.filter((_, index) => answers[index] === '');
    expect(Number(await direct.get(key))).toBe(30 - unanswered.length);
    return unanswered.length > 0 && unanswered.every(({ end }) => end === 'reset');
  },
});
