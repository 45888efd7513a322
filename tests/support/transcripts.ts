import { systemClock } from '#lib/chaos/clock.ts';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FtpSession } from '#lib/chaos/proxy/ftp/ftp-session.ts';
import { HttpSession } from '#lib/chaos/proxy/http/http-session.ts';
import { PostgresSession } from '#lib/chaos/proxy/postgres/postgres-session.ts';
import { RedisSession } from '#lib/chaos/proxy/redis/redis-session.ts';
import type { SessionFactory } from '#lib/chaos/proxy/session.ts';

/** A valid conversation as a proxy sees it: who sends what, in order. */
export interface Transcript {
  readonly name: string;
  readonly service: ProxiedService;
  readonly createSession: SessionFactory;
  readonly turns: readonly (readonly [from: 'client' | 'server', bytes: Buffer])[];
}

type Turn = readonly ['client' | 'server', Buffer];
const client = (...parts: (string | Buffer)[]): Turn => ['client', joined(parts)];
const server = (...parts: (string | Buffer)[]): Turn => ['server', joined(parts)];
const joined = (parts: (string | Buffer)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

const resp = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

const redis: Transcript = {
  name: 'Redis',
  service: 'redis',
  createSession: (link) => new RedisSession(link),
  turns: [
    client(resp('HELLO', '3')),
    server('%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'),
    client(
      resp('CLIENT', 'SETINFO', 'LIB-NAME', 'x'),
      resp('SET', 'k', 'a\r\nb*1\r\n$4\r\nPING\r\n'),
      resp('GET', 'k'),
      'PING\r\n\r\n',
      resp('PUBLISH', 'news', 'x'.repeat(40)),
      resp('SUBSCRIBE', 'one', 'two'),
    ),
    server(
      '+OK\r\n+OK\r\n$16\r\na\r\nb*1\r\n$4\r\nPING\r\n+PONG\r\n:0\r\n',
      '>3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$3\r\ntwo\r\n:2\r\n',
    ),
    client(resp('MULTI'), resp('INCR', 'n'), resp('EXEC'), resp('BLPOP', 'q', '0')),
    server('+OK\r\n+QUEUED\r\n*1\r\n:1\r\n|1\r\n+ttl\r\n:9\r\n*2\r\n$1\r\nq\r\n*1\r\n,1.5\r\n_\r\n#t\r\n'),
  ],
};

function typed(type: string, ...parts: (string | Buffer)[]): Buffer {
  const body = joined(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function startup(): Buffer {
  const body = joined(['\0\x03\0\0', 'user\0x\0database\0y\0\0']);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4, 0);
  return Buffer.concat([length, body]);
}

const ready = typed('Z', 'I');

const postgres: Transcript = {
  name: 'PostgreSQL',
  service: 'database',
  createSession: (link) => new PostgresSession(link),
  turns: [
    client(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])),
    server('N'),
    client(startup()),
    server(typed('R', '\0\0\0\0'), typed('S', 'TimeZone\0UTC\0'), typed('K', '\0\0\0\x01\0\0\0\x02'), ready),
    client(typed('Q', 'SELECT 1, 2\0')),
    server(typed('T', '\0\0'), typed('D', '\0\0'), typed('C', 'SELECT 1\0'), ready),
    client(
      typed('P', 's1\0', 'SELECT $1\0', '\0\0'),
      typed('B', '\0s1\0', '\0\0\0\0\0\0'),
      typed('D', 'P\0'),
      typed('E', '\0\0\0\0\0'),
      typed('S'),
    ),
    server(typed('1'), typed('2'), typed('n'), typed('C', 'SELECT 0\0'), ready),
    client(typed('C', 'Ss1\0'), typed('S'), typed('Q', `SELECT '${'long '.repeat(60)}'\0`)),
    server(typed('3'), ready, typed('E', 'SERROR\0C42601\0\0'), ready),
  ],
};

const http: Transcript = {
  name: 'HTTP',
  service: 'yolo26',
  createSession: (link) => new HttpSession(link),
  turns: [
    client(
      'POST /detect HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world',
      'POST /detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
      '5\r\nab\r\nc\r\n1a;ext=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: yes\r\n\r\n',
      'GET /health HTTP/1.1\r\nHost: x\r\n\r\n',
    ),
    // Answers come one by one: a pipelined request waits for the answer before it.
    server('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"detections":1}'),
    server(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "x"\r\n\r\n',
      '3\r\n{"s\r\n8\r\ncore":1}\r\n0\r\n\r\n',
    ),
    server('HTTP/1.1 204 No Content\r\n\r\n'),
  ],
};

const ftp: Transcript = {
  name: 'FTP',
  service: 'ftp',
  createSession: (link) => new FtpSession(link, systemClock),
  turns: [
    server('220-Welcome\r\n 220 not yet\r\n220 ready\r\n'),
    client('USER camera\r\nPASS secret word\r\nTYPE I\r\n'),
    server('331 go on\r\n230 in\r\n200 binary\r\n'),
    client('SIZE a.jpg\r\nFEAT\r\nNOOP\r\n\r\n'),
    server('213 1234\r\n211-Features\r\n SIZE\r\n EPSV\r\n211 End\r\n200 fine\r\n'),
    client('STOR a.jpg.part\r\nRNFR a.jpg.part\r\nRNTO a.jpg\r\n'),
    server('150 send\r\n226 done\r\n350 and\r\n250 moved\r\n'),
  ],
};

export const TRANSCRIPTS: readonly Transcript[] = [redis, postgres, http, ftp];
