/**
 * Floods sessions with bytes that would fill a buffer without a bound, and prints what each made the process keep.
 *
 * Run by `fuzz-memory.test.ts` with a heap so small that a leak of one object per message ends the process.
 */

import { systemClock } from '#lib/chaos/clock.ts';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FtpSession } from '#lib/chaos/proxy/ftp/ftp-session.ts';
import { HttpSession } from '#lib/chaos/proxy/http/http-session.ts';
import { PostgresSession } from '#lib/chaos/proxy/postgres/postgres-session.ts';
import { RedisSession } from '#lib/chaos/proxy/redis/redis-session.ts';
import type { SessionFactory } from '#lib/chaos/proxy/session.ts';
import { armedFaults, type BenchFault, SessionBench } from '#tests/support/session-bench.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

interface Flood {
  service: ProxiedService;
  /** What comes first, valid. */
  before?: readonly (readonly ['client' | 'server', string])[];
  from: 'client' | 'server';
  /** Repeated without end. */
  bytes: string;
  sizeBytes: number;
  fault?: BenchFault;
}

const NOTHING: BenchFault = { type: 'intermittent', match: { command: 'no such command' } };
const SPOIL: BenchFault = { type: 'malformed_response', params: { mode: 'missing_score' } };
const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const STARTED = [
  ['client', '\0\0\0\x09\0\x03\0\0\0'],
  ['server', 'R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I'],
] as const;

const FLOODS: Readonly<Record<string, Flood>> = {
  'Redis: a line without end': { service: 'redis', from: 'client', bytes: 'x', sizeBytes: 256 * MIB },
  'Redis: a name of 2^31 bytes': {
    service: 'redis',
    before: [['client', '*2\r\n$2147483648\r\n']],
    from: 'client',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'Redis: an argument of 2^53 bytes': {
    service: 'redis',
    before: [['client', '*2\r\n$3\r\nGET\r\n$9007199254740991\r\n']],
    from: 'client',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'Redis: channels without end': {
    service: 'redis',
    before: [['client', '*1000000\r\n$9\r\nSUBSCRIBE\r\n']],
    from: 'client',
    bytes: '$1\r\nx\r\n',
    sizeBytes: 16 * MIB,
  },
  'Redis: commands that nobody answers': {
    service: 'redis',
    from: 'client',
    bytes: 'PING\n',
    sizeBytes: 64 * MIB,
  },
  'Redis: replies that nobody asked for': {
    service: 'redis',
    from: 'server',
    bytes: ':1\r\n',
    sizeBytes: 6 * MIB,
  },
  'Redis: arrays inside arrays': { service: 'redis', from: 'server', bytes: '*1\r\n', sizeBytes: 64 * MIB },
  'Redis: attributes inside attributes': {
    service: 'redis',
    from: 'server',
    bytes: '|1\r\n',
    sizeBytes: 64 * MIB,
  },
  'Redis: a status without end': {
    service: 'redis',
    before: [['server', '+']],
    from: 'server',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'PostgreSQL: a query of 2^30 bytes': {
    service: 'database',
    before: [...STARTED, ['client', 'Q\x3f\xff\xff\xf0']],
    from: 'client',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'PostgreSQL: Syncs that nobody answers': {
    service: 'database',
    before: STARTED,
    from: 'client',
    bytes: 'S\0\0\0\x04',
    sizeBytes: 64 * MIB,
  },
  'PostgreSQL: statements without end': {
    service: 'database',
    before: STARTED,
    from: 'client',
    bytes: 'P\0\0\0\x0fa\0SELECT\0\0\0',
    sizeBytes: 6 * MIB,
  },
  'PostgreSQL: bytes before the answer about TLS': {
    service: 'database',
    before: [['client', '\0\0\0\x08\x04\xd2\x16\x2f']],
    from: 'client',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'PostgreSQL: one row of 2^30 bytes': {
    service: 'database',
    before: [...STARTED, ['server', 'D\x3f\xff\xff\xf0']],
    from: 'server',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'HTTP: header lines without end': {
    service: 'yolo26',
    before: [['client', 'GET / HTTP/1.1\r\n']],
    from: 'client',
    bytes: 'a: b\r\n',
    sizeBytes: 256 * MIB,
  },
  'HTTP: requests that nobody answers': {
    service: 'yolo26',
    from: 'client',
    bytes: GET,
    sizeBytes: 64 * MIB,
  },
  'HTTP: a body of 2^64 bytes': {
    service: 'yolo26',
    before: [['client', 'POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n']],
    from: 'client',
    bytes: 'x',
    sizeBytes: 64 * MIB,
  },
  'HTTP: an answer without headers’ end': {
    service: 'yolo26',
    before: [
      ['client', GET],
      ['server', 'HTTP/1.1 200 OK\r\n'],
    ],
    from: 'server',
    bytes: 'a: b\r\n',
    sizeBytes: 64 * MIB,
  },
  'HTTP: a chunk size without end': {
    service: 'yolo26',
    before: [
      ['client', GET],
      ['server', CHUNKED],
    ],
    from: 'server',
    bytes: 'f',
    sizeBytes: 64 * MIB,
  },
  'HTTP: chunks of four bytes, kept to be spoilt': {
    service: 'yolo26',
    before: [
      ['client', GET],
      ['server', CHUNKED],
    ],
    from: 'server',
    bytes: '4\r\nxxxx\r\n',
    sizeBytes: 32 * MIB,
    fault: SPOIL,
  },
  'HTTP: an answer of 2^31 bytes, kept to be spoilt': {
    service: 'yolo26',
    before: [
      ['client', GET],
      ['server', 'HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n'],
    ],
    from: 'server',
    bytes: 'x',
    sizeBytes: 64 * MIB,
    fault: SPOIL,
  },
  'FTP: a line without end': { service: 'ftp', from: 'client', bytes: 'x', sizeBytes: 64 * MIB },
  'FTP: commands that nobody answers': {
    service: 'ftp',
    from: 'client',
    bytes: 'NOOP\r\n',
    sizeBytes: 64 * MIB,
  },
  'FTP: a reply without end': { service: 'ftp', from: 'server', bytes: 'x', sizeBytes: 64 * MIB },
  'FTP: lines of a reply without end': {
    service: 'ftp',
    from: 'server',
    bytes: '220-x\r\n',
    sizeBytes: 6 * MIB,
  },
};

const SESSIONS: Readonly<Partial<Record<ProxiedService, SessionFactory>>> = {
  redis: (link) => new RedisSession(link),
  database: (link) => new PostgresSession(link),
  yolo26: (link) => new HttpSession(link),
  ftp: (link) => new FtpSession(link, systemClock),
};

/** Memory that is really held, bytes: the heap and the buffers outside of it. */
function heldBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.(); // the first one only begins to free what lies outside of the heap
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function run(flood: Flood) {
  const { service, before = [], from, bytes, sizeBytes, fault = NOTHING } = flood;
  const createSession = SESSIONS[service];
  if (!createSession) throw new Error(`No session for ${service}`);
  const { faults, injector } = await armedFaults(service, fault);
  const startBytes = heldBytes();
  const bench = new SessionBench(faults, createSession, false);
  const feed = (side: 'client' | 'server', chunk: Buffer) =>
    side === 'client' ? bench.fromClient(chunk) : bench.fromServer(chunk);
  for (const [side, text] of before) feed(side, Buffer.from(text, 'latin1'));
  // A message cut by the end of a chunk goes on in the next one: the pieces begin where the last one ended.
  const unit = Buffer.from(bytes, 'latin1');
  const chunk = Buffer.alloc(CHUNK_BYTES - (CHUNK_BYTES % unit.length), unit);
  let fed = 0;
  let peakBytes = 0;
  const look = () => {
    peakBytes = Math.max(peakBytes, heldBytes() - startBytes);
  };
  for (let n = 0; fed < sizeBytes && !bench.paused[from] && !bench.gone; n++) {
    feed(from, n % 2 === 0 ? Buffer.from(chunk) : chunk); // copies, as the reads of a socket are
    fed += chunk.length;
    if (n % 1024 === 1000) look();
  }
  look();
  bench.end();
  await injector.close();
  const end = bench.gone || bench.degraded || (bench.paused[from] ? 'paused' : 'open');
  return { fed, peakBytes, end };
}

for (const [name, flood] of Object.entries(FLOODS)) {
  process.stdout.write(`${JSON.stringify({ name, ...(await run(flood)) })}\n`);
}
