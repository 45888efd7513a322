/** What the load generator says and what it gets back, byte for byte, so that nobody spends time on parsing. */
export type BenchProtocol = 'redis' | 'http' | 'postgres' | 'ftp';

export interface Exchange {
  readonly request: Buffer;
  readonly replyBytes: number;
}

export interface Dialogue {
  /** What the server says first, bytes. */
  readonly greetingBytes: number;
  /** What the client says before all else. */
  readonly opening: Exchange | undefined;
  readonly small: Exchange;
  /** A large value to the client, and one to the server; not of every protocol. */
  readonly down: Exchange | undefined;
  readonly up: Exchange | undefined;
}

export const BULK_BYTES = 1024 * 1024;
export const BULK_KEY = 'bench:bulk';
const bulk = Buffer.alloc(BULK_BYTES, 'x');

const resp = (...words: (string | Buffer)[]) =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => [
      Buffer.from(`$${Buffer.byteLength(word)}\r\n`),
      Buffer.from(word),
      Buffer.from('\r\n'),
    ]),
  ]);

/** A typed message of PostgreSQL. */
const typed = (type: string, body: Buffer) => {
  const head = Buffer.alloc(5);
  head.write(type, 0);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const startup = () => {
  const body = Buffer.from('user\0bench\0database\0bench\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(0x30000, 4);
  return Buffer.concat([head, body]);
};
const READY = typed('Z', Buffer.from('I'));

/** What the stand-in servers answer. */
export const ANSWERS = {
  httpSmall: Buffer.from(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}',
  ),
  httpBulk: Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${BULK_BYTES}\r\n\r\n`), bulk]),
  postgresOpen: Buffer.concat([typed('R', Buffer.alloc(4)), READY]),
  postgresSmall: Buffer.concat([typed('C', Buffer.from('SELECT 1\0')), READY]),
  ftpGreeting: Buffer.from('220 bench\r\n'),
  ftpSmall: Buffer.from('200 NOOP ok\r\n'),
} as const;

const httpHead = (line: string, bodyBytes: number) =>
  Buffer.from(`${line} HTTP/1.1\r\nhost: bench\r\ncontent-length: ${bodyBytes}\r\n\r\n`);

export const DIALOGUES: Readonly<Record<BenchProtocol, Dialogue>> = {
  redis: {
    greetingBytes: 0,
    opening: undefined,
    small: { request: resp('PING'), replyBytes: '+PONG\r\n'.length },
    down: { request: resp('GET', BULK_KEY), replyBytes: `$${BULK_BYTES}\r\n`.length + BULK_BYTES + 2 },
    up: { request: resp('SET', BULK_KEY, bulk), replyBytes: '+OK\r\n'.length },
  },
  http: {
    greetingBytes: 0,
    opening: undefined,
    small: {
      request: Buffer.from('GET /small HTTP/1.1\r\nhost: bench\r\n\r\n'),
      replyBytes: ANSWERS.httpSmall.length,
    },
    down: {
      request: Buffer.from('GET /bulk HTTP/1.1\r\nhost: bench\r\n\r\n'),
      replyBytes: ANSWERS.httpBulk.length,
    },
    up: {
      request: Buffer.concat([httpHead('POST /small', BULK_BYTES), bulk]),
      replyBytes: ANSWERS.httpSmall.length,
    },
  },
  postgres: {
    greetingBytes: 0,
    opening: { request: startup(), replyBytes: ANSWERS.postgresOpen.length },
    small: { request: typed('Q', Buffer.from('SELECT 1\0')), replyBytes: ANSWERS.postgresSmall.length },
    down: undefined,
    up: undefined,
  },
  ftp: {
    greetingBytes: ANSWERS.ftpGreeting.length,
    opening: undefined,
    small: { request: Buffer.from('NOOP\r\n'), replyBytes: ANSWERS.ftpSmall.length },
    down: undefined,
    up: undefined,
  },
};
