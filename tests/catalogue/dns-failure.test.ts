import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { judge, symptomOf } from '#lib/agent/origin.ts';
import { NameServer } from '#lib/chaos/dns/name-server.ts';
import { PROXIED_SERVICES, type ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { drawFor } from '#lib/chaos/random.ts';
import { FtpUploader } from '#server/cameras/ftp-uploader.ts';
import { type DependencyAddresses, dependencyAddresses } from '#server/dependency-addresses.ts';
import { streamBy } from '#server/pipeline/database/named-stream.ts';
import { redisAddressOptions } from '#server/pipeline/dependencies/redis-connector.ts';
import { closeHttpConnections, httpCall } from '#server/pipeline/work/http-call.ts';
import { producerConnection } from '#server/pipeline/work/queue-connection.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { proveFault } from './prove-fault.ts';

/** Answers, and keeps no connection, so that each call makes a new one; `/kept` is the exception. */
const http = createServer((request, response) => {
  if (request.url !== '/kept') response.setHeader('connection', 'close');
  response.end('ok');
});
let redis: TestRedis;
let postgres: TestPostgres;
beforeAll(async () => {
  http.listen(0, '127.0.0.1');
  [redis, postgres] = await Promise.all([startTestRedis(), startTestPostgres(), once(http, 'listening')]);
});
afterAll(async () => {
  closeHttpConnections();
  http.closeAllConnections();
  http.close();
  await Promise.all([redis.close(), postgres.close()]);
});

interface NamesBench {
  readonly injector: FaultInjector;
  /** What the pipeline's clients connect to: names, resolved by the name server of the proxies. */
  readonly at: DependencyAddresses;
  readonly probed: DependencyAddresses;
  arm(params: Record<string, unknown>, ratio?: number, seed?: number): Promise<string>;
  close(): Promise<void>;
}

async function openNames(): Promise<NamesBench> {
  const injector = new FaultInjector();
  const port = (http.address() as AddressInfo).port;
  const local = (port: number) => ({ host: '127.0.0.1', port });
  const proxied = {
    yolo26: local(port),
    nemotron: local(port),
    redis: local(redis.port),
    pubsub: local(redis.port),
    database: local(postgres.port),
    ftp: local(port),
  };
  const names = new NameServer({ listen: local(0), addresses: proxied, injector });
  await names.start();
  const wiring = { proxied, nameServer: local(names.port) };
  return {
    injector,
    at: dependencyAddresses(wiring),
    probed: dependencyAddresses(wiring, { healthCheck: true }),
    async arm(params, ratio = 1, seed = 7) {
      const valid = validateFault('network', 'dns_failure', params);
      const fault = { id: 'dns', version: 1, service: valid.service, type: valid.type.type };
      await injector.arm({ ...fault, params: valid.params, ratio, seed, ttlMs: 60_000 });
      return fault.id;
    },
    async close() {
      await injector.close();
      names.close();
    },
  };
}

const call = (at: DependencyAddresses, path = '/') =>
  httpCall({ ...at.yolo26, method: 'GET', path, connectMs: 10_000, timeoutMs: 10_000 });

/** Each asks once, on a new connection: what it got, or the code of its failure. */
const clients: Record<string, (at: DependencyAddresses) => Promise<string>> = {
  http: async (at) => (await call(at)).body,
  pg: async (at) => {
    const { user, password, database } = postgres;
    const { lookup, ...address } = at.database;
    const pool = new Pool({ ...address, user, password, database, ...streamBy(lookup) });
    pool.on('error', () => {});
    try {
      return (await pool.query('SELECT 1 AS one')).rows[0].one === 1 ? 'ok' : 'wrong';
    } finally {
      await pool.end();
    }
  },
  ioredis: async (at) => {
    const client = new Redis({
      ...redisAddressOptions(at.pubsub),
      lazyConnect: true,
      disableClientInfo: true,
      retryStrategy: () => null,
    });
    const failed = once(client, 'error').then(([error]) => error as Error);
    try {
      await client.connect();
      return (await client.ping()) === 'PONG' ? 'ok' : 'wrong';
    } catch {
      throw await failed;
    } finally {
      client.disconnect();
    }
  },
  bullmq: async (at) => {
    const connection = producerConnection({ ...at.redis, password: null }, 10_000);
    const queue = new Queue('names', { connection: { ...connection, retryStrategy: () => null } });
    queue.on('error', () => {}); // of later attempts
    const failed = once(queue, 'error').then(([error]) => error as Error);
    try {
      await Promise.race([
        queue.waitUntilReady(),
        failed.then((error) => {
          throw error;
        }),
      ]);
      return 'ok';
    } finally {
      await queue.disconnect().catch(() => {}); // it never was connected
    }
  },
};
const outcome = (work: Promise<string>): Promise<string> =>
  work.catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
const outcomes = (at: DependencyAddresses) =>
  Promise.all(Object.values(clients).map((ask) => outcome(ask(at))));

proveFault('network', 'dns_failure', openNames, {
  ttlMs: 3000,
  hitKind: 'lookup database',
  seesEffect: async ({ at }) => (await outcomes(at)).every((each) => each === 'EAI_AGAIN'),
  serves: async ({ at }) => (await outcomes(at)).every((each) => each === 'ok'),
});

describe('dns_failure', () => {
  const withNames = async (work: (bench: NamesBench) => Promise<void>) => {
    const bench = await openNames();
    try {
      await work(bench);
    } finally {
      await bench.close();
    }
  };

  it('lets open connections go on: kept-alive HTTP, pooled and Redis ones', () =>
    withNames(async ({ at, arm }) => {
      const { user, password, database } = postgres;
      const pool = new Pool({ ...at.database, user, password, database, ...streamBy(at.database.lookup) });
      const client = new Redis({ ...redisAddressOptions(at.redis), disableClientInfo: true });
      try {
        await Promise.all([call(at, '/kept'), pool.query('SELECT 1'), client.ping()]);
        await arm({});
        expect(await outcome(clients['http']?.({ ...at, yolo26: at.nemotron }) ?? Promise.reject())).toBe(
          'EAI_AGAIN',
        );
        expect((await call(at, '/kept')).body).toBe('ok');
        expect((await pool.query('SELECT 1')).rowCount).toBe(1);
        expect(await client.ping()).toBe('PONG');
      } finally {
        client.disconnect();
        await pool.end();
      }
    }));

  it('fails exactly the connections that the seed chooses, each asking once; health checks draw apart', () =>
    withNames(async ({ at, probed, arm, injector }) => {
      await arm({}, 0.5, 42);
      const expected = (lane: string) =>
        Array.from({ length: 150 }, (_, n) => drawFor(42, 'dns_failure', lane, n) < 0.5);
      const failed: boolean[] = [];
      const probesFailed: boolean[] = [];
      for (let n = 0; n < 150; n++) {
        failed.push((await connects(at, 'nemotron')) === 'EAI_AGAIN');
        probesFailed.push((await connects(probed, 'nemotron')) === 'EAI_AGAIN');
      }
      expect(failed).toEqual(expected('network'));
      expect(probesFailed).toEqual(expected('network/health'));
      const hits = [...failed, ...probesFailed].filter(Boolean).length;
      expect(injector.activity()[0]).toMatchObject({
        hits,
        seen: 300,
        hitsByKind: { 'lookup nemotron': hits },
      });
    }));

  it('delays new connections by what was asked, within 10 %', () =>
    withNames(async ({ at, arm, injector }) => {
      const took = async () => {
        const startedMs = performance.now();
        expect(await connects(at, 'redis')).toBe('connected');
        return performance.now() - startedMs;
      };
      const plain: number[] = [];
      while (plain.length < 4) plain.push(await took());
      const plainMs = Math.min(...plain);
      await arm({ answer: 'late', delayMs: 300 });
      const late: number[] = [];
      // None may be too early; a busy machine makes some of them later than they were made.
      const addedMs = () => Math.min(...late) - plainMs;
      while (late.length < 4 || (addedMs() >= 330 && late.length < 30)) late.push(await took());
      expect(Math.min(...late)).toBeGreaterThan(295);
      expect(addedMs()).toBeLessThan(330);
      expect(injector.activity()[0]?.hitsByKind).toEqual({ 'lookup redis': late.length });
    }));

  it('says that there is no such name, or nothing; what it keeps back is answered truly at its end', () =>
    withNames(async ({ at, arm, injector }) => {
      await arm({ answer: 'NXDOMAIN', services: ['ftp'] });
      expect(await connects(at, 'ftp')).toBe('ENOTFOUND');
      expect(await connects(at, 'redis')).toBe('connected');
      const camera = new FtpUploader({ ...at.ftp, user: 'u', password: 'p', timeoutMs: 5000 });
      expect(await outcome(camera.upload('a.jpg', Buffer.from('x')).then(String))).toBe('ENOTFOUND');
      await injector.endAll('stopped');

      await arm({ answer: 'none' });
      let told: string | undefined;
      const waiting = connects(at, 'redis').then((result) => {
        told = result;
      });
      await vi.waitFor(() => expect(injector.activity()[0]?.hits).toBe(1), 10_000);
      expect(told).toBeUndefined();
      await injector.endAll('stopped');
      await waiting;
      expect(told).toBe('connected');
    }));

  it('is told from a failure that nobody made', () =>
    withNames(async ({ at, arm }) => {
      await arm({});
      const error = await call({ ...at, yolo26: at.nemotron }).catch((failure: unknown) => failure);
      const symptom = symptomOf('yolo26', error);
      const active = (params: object) => [
        { id: 'dns', service: 'network', type: 'dns_failure', params: { ...params } } as const,
      ];
      const now = { now: Date.now() };
      expect(judge(symptom, active({ services: [] }), now)).toEqual({ origin: 'injected', faultId: 'dns' });
      expect(judge(symptom, active({ services: ['redis'] }), now).origin).toBe('organic');
      const refused = symptomOf('yolo26', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
      expect(judge(refused, active({ services: [] }), now).origin).toBe('organic');
    }));

  it('knows the name of every service, and leaves other names to the system', () =>
    withNames(async ({ at }) => {
      for (const service of PROXIED_SERVICES) expect(await connects(at, service)).toBe('connected');
      const { port, lookup } = at.redis;
      expect(await connects({ ...at, redis: { host: 'localhost', port, lookup } }, 'redis')).toBe(
        'connected',
      );
      const unknown = { host: 'nobody.brownout.internal', port, lookup };
      expect(await connects({ ...at, redis: unknown }, 'redis')).toBe('ENOTFOUND');
    }));
});

/** One new TCP connection. */
function connects(at: DependencyAddresses, service: ProxiedService): Promise<string> {
  const { host, port, lookup } = at[service];
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(lookup ? { lookup } : {}) });
    socket.on('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
