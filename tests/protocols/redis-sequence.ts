import type { Random } from '#lib/chaos/random.ts';
import { encodeCommand, type Word } from '#tests/support/resp.ts';

/**
 * Replies that differ between two runs by their nature. The reply is compared by its RESP types alone, that of HELLO
 * without its `id`.
 */
export const MASKED = {
  HELLO: 'id of the connection',
  'CLIENT ID': 'id of the connection',
  'CLIENT INFO': 'id, ports and ages of the connection',
  TIME: 'the clock',
  'XADD *': 'the clock',
  PTTL: 'time left',
  EXPIRETIME: 'the clock, a moment later',
  'INFO SERVER': 'times of the server',
} as const;
export type Masked = keyof typeof MASKED;

export type Step =
  | { readonly kind: 'send'; readonly bytes: Buffer }
  /** Waits until this text has come. */
  | { readonly kind: 'await'; readonly text: string }
  /** Sent by another connection to the same database. */
  | { readonly kind: 'other'; readonly words: readonly Word[] };

/** Commands for a fresh connection state, to be ended by RESET. */
export interface RedisSequence {
  readonly steps: readonly Step[];
  readonly commands: number;
  /** Masks by the number of the reply, pushes not counted. */
  readonly masks: ReadonlyMap<number, Masked>;
}

/** Loaded beforehand, so that EVALSHA finds them in every run. */
export const SCRIPTS = [
  'return ARGV[1]',
  "return redis.call('incr', KEYS[1])",
  'redis.setresp(3) return {map={a=1}, double=3.5}',
  "return redis.error_reply('MINE of the script')",
] as const;

const EVALUATED = [
  ...SCRIPTS,
  "redis.setresp(3) return {big_number='1234567890123456789'}",
  'redis.setresp(3) return {double=1.5}',
  'redis.setresp(3) return {map={a=true}}',
  'redis.setresp(3) return {set={a=true}}',
  'redis.setresp(3) return {true, false}',
  "return {1, 2, {3, 'four'}, false}",
  "return redis.call('hgetall', KEYS[1])",
  "error('thrown')",
  'return nil',
] as const;

/** What DEBUG PROTOCOL makes: every type that a server can send. */
const PROTOCOL_TYPES = 'string integer double null array set map attrib verbatim bignum true false'.split(
  ' ',
);

type Command = readonly Word[];

/** Draws one random sequence after another. `channel` keeps the channels of parallel runs apart. */
export class RedisSequences {
  readonly #random: Random;
  readonly #channel: string;
  readonly #shas: readonly string[];
  #steps: Step[] = [];
  #masks = new Map<number, Masked>();
  #commands = 0;
  #replies = 0;
  #resp3 = false;
  #countable = true;
  /** Another connection changes the database meanwhile, so nothing may look at all of it. */
  #shared = false;

  constructor(random: Random, channel: string, shas: readonly string[]) {
    this.#random = random;
    this.#channel = channel;
    this.#shas = shas;
  }

  next(): RedisSequence {
    this.#steps = [];
    this.#masks = new Map();
    this.#commands = 0;
    this.#replies = 0;
    this.#resp3 = false;
    this.#countable = true;
    this.#shared = this.#random() < 0.1;
    if (this.#random() < 0.6) this.#hello();
    const wanted = 1 + this.#below(12);
    while (this.#commands < wanted) this.#part();
    return { steps: this.#steps, commands: this.#commands, masks: this.#masks };
  }

  #part(): void {
    const chance = this.#random();
    if (chance < 0.12) this.#transaction();
    else if (chance < 0.17) this.#inline();
    else if (chance < 0.25) this.#masked();
    else if (chance < 0.31) this.#subscription();
    else if (chance < 0.33) this.#hello();
    else if (chance < 0.36) this.#blocking();
    else this.#send(this.#any());
  }

  #any(): Command {
    const families = [strings, hashes, lists, sets, sortedSets, streams, others, scripts, mistakes] as const;
    const family = this.#pick(families);
    const command = this.#pick(family(this.#draws()));
    const whole = command[0] === 'DBSIZE' || command[0] === 'FLUSHDB' || command[0] === 'SCAN';
    return whole && this.#shared ? ['PING'] : command;
  }

  #draws(): Draws {
    return {
      key: (kind) => (this.#random() < 0.85 ? `${kind}${this.#below(2)}` : `any${this.#below(3)}`),
      value: () => this.#value(),
      small: () => this.#below(7) - 2,
      sha: () => this.#pick(this.#shas),
      script: () => this.#pick(EVALUATED),
      protocolType: () => this.#pick(PROTOCOL_TYPES),
    };
  }

  #value(): string {
    const chance = this.#random();
    if (chance < 0.1) return '';
    if (chance < 0.3) return String(this.#below(1000) - 500);
    if (chance < 0.4) return '\r\n$3\r\nGET\r\n*1\r\n';
    if (chance < 0.5) return String.fromCharCode(...Array.from({ length: 12 }, () => this.#below(256)));
    if (chance < 0.6) return this.#pick(['message', 'subscribe', '+OK', '-ERR', '$-1', '>3', '\0']);
    if (chance < 0.603) return 'L'.repeat(64 * 1024 + this.#below(400_000));
    if (chance < 0.65) return 'M'.repeat(this.#below(5000));
    return 'v'.repeat(1 + this.#below(20));
  }

  #transaction(): void {
    if (this.#random() < 0.3) this.#send(['WATCH', 'str0', 'list0']);
    if (this.#random() < 0.15) this.#send(['SET', 'str0', 'touched']);
    this.#send(['MULTI']);
    for (let left = this.#below(5); left > 0; left--) this.#send(this.#any());
    if (this.#random() < 0.05) this.#send(['MULTI']);
    if (this.#random() < 0.1) this.#send(['BLPOP', 'nothing', 5]);
    this.#send([this.#pick(['EXEC', 'EXEC', 'EXEC', 'DISCARD'])]);
  }

  #inline(): void {
    const line = this.#pick([
      'PING\r\n',
      'ping hello\r\n',
      'SET str0 inline\r\n',
      'ECHO "two words\\r\\n"\r\n',
      "ECHO 'it is'\n",
      '  GET   str1 \r\n',
      'NOSUCH thing\r\n',
      'LRANGE list0 0 -1\n',
    ]);
    this.#bytes(Buffer.from(line, 'latin1'), 1);
    if (this.#random() < 0.3) this.#bytes(Buffer.from(this.#pick(['\r\n', '*0\r\n', '*-1\r\n'])), 0);
  }

  #masked(): void {
    if (!this.#countable) return;
    const masked = this.#pick([
      'CLIENT ID',
      'CLIENT INFO',
      'TIME',
      'XADD *',
      'PTTL',
      'EXPIRETIME',
      'INFO SERVER',
    ] as const);
    if (masked === 'XADD *') {
      this.#send(['DEL', 'clocked']);
      this.#mask(masked);
      this.#send(['XADD', 'clocked', '*', 'field', this.#value()]);
    } else if (masked === 'PTTL' || masked === 'EXPIRETIME') {
      this.#send(['SET', 'clocked', this.#value(), 'PX', 100_000]);
      this.#mask(masked);
      this.#send([masked, 'clocked']);
    } else {
      this.#mask(masked);
      this.#send(masked.split(' '));
    }
  }

  #hello(): void {
    if (!this.#countable) return;
    this.#mask('HELLO');
    const version = this.#pick([2, 3, 3]);
    this.#resp3 = version === 3;
    this.#send(this.#random() < 0.2 ? ['HELLO', version, 'SETNAME', 'named'] : ['HELLO', version]);
  }

  /** Subscribes, is sent messages, and leaves; in RESP3 commands go on in between. */
  #subscription(): void {
    this.#countable = false;
    const one = `${this.#channel}:one`;
    const two = `${this.#channel}:two`;
    this.#send(['SUBSCRIBE', one, two], 0);
    this.#send(['PSUBSCRIBE', `${this.#channel}:*`], 0);
    if (this.#random() < 0.3) this.#send(['SSUBSCRIBE', one], 0);
    const subscribed = `subscribed-${this.#commands}`;
    this.#send(['PING', subscribed]);
    this.#steps.push({ kind: 'await', text: `${subscribed}\r\n` });
    const last = `last-${this.#below(1e6)}`;
    for (let left = this.#below(3); left > 0; left--) this.#other(['PUBLISH', one, this.#value()]);
    this.#other(['PUBLISH', two, last]);
    this.#steps.push({ kind: 'await', text: `${last}\r\n` });
    if (this.#resp3) {
      for (let left = this.#below(4); left > 0; left--) this.#send(this.#any());
      this.#send(['PUBLISH', two, 'to itself']);
      if (this.#random() < 0.2) this.#transaction();
    } else if (this.#random() < 0.3) {
      this.#send(['GET', 'refused']);
    }
    if (this.#random() < 0.3) this.#send(['UNSUBSCRIBE', one], 0);
    this.#send(['UNSUBSCRIBE'], 0);
    this.#send(['PUNSUBSCRIBE'], 0);
    this.#send(['SUNSUBSCRIBE'], 0);
    this.#send(['RPUSH', 'list0', 'message', 'a', 'b']);
    this.#send(['LRANGE', 'list0', 0, -1]);
  }

  #blocking(): void {
    if (this.#shared) {
      // Before or after the command blocks: it is served either way.
      this.#other(['RPUSH', 'served', 'from another']);
      this.#send(
        this.#pick([
          ['BLPOP', 'nothing', 'served', 9],
          ['BRPOP', 'served', 9],
          ['BLMOVE', 'served', 'list0', 'LEFT', 'RIGHT', 9],
          ['BLMPOP', 9, 1, 'served', 'LEFT', 'COUNT', 1],
        ]),
      );
      return;
    }
    this.#send(
      this.#pick([
        ['BLPOP', 'nothing', 0.01],
        ['BZPOPMIN', 'nothing', 0.01],
        ['BZMPOP', 0.01, 1, 'nothing', 'MAX'],
        ['XREAD', 'BLOCK', 10, 'STREAMS', 'nothing', '$'],
        ['BRPOPLPUSH', 'nothing', 'list0', 0.01],
      ]),
    );
  }

  #mask(masked: Masked): void {
    this.#masks.set(this.#replies, masked);
  }

  #send(words: Command, replies = 1): void {
    this.#bytes(encodeCommand(words), replies);
  }

  #bytes(bytes: Buffer, replies: number): void {
    this.#commands++;
    this.#replies += replies;
    this.#steps.push({ kind: 'send', bytes });
  }

  #other(words: Command): void {
    this.#steps.push({ kind: 'other', words });
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}

interface Draws {
  key(kind: string): string;
  value(): string;
  /** A whole number from -2 to 4. */
  small(): number;
  sha(): string;
  script(): string;
  protocolType(): string;
}

const strings = ({ key, value, small }: Draws): Command[] => [
  ['SET', key('str'), value()],
  ['SET', key('str'), value(), 'GET'],
  ['SET', key('str'), value(), 'NX', 'EX', 100],
  ['GET', key('str')],
  ['GETDEL', key('str')],
  ['MSET', 'str0', value(), 'str1', value()],
  ['MGET', 'str0', 'list0', 'nothing', key('str')],
  ['APPEND', key('str'), value()],
  ['STRLEN', key('str')],
  ['GETRANGE', key('str'), small(), small()],
  ['SETRANGE', key('str'), 3, value()],
  ['INCR', key('num')],
  ['INCRBYFLOAT', key('num'), '1.25'],
  ['DECRBY', key('num'), small()],
  ['SETBIT', key('bits'), 7, 1],
  ['BITCOUNT', key('bits')],
  ['BITFIELD', key('bits'), 'GET', 'u4', 0, 'INCRBY', 'i5', 10, 1],
  ['PFADD', key('hll'), value()],
  ['PFCOUNT', 'hll0', 'hll1'],
];

const hashes = ({ key, value, small }: Draws): Command[] => [
  ['HSET', key('hash'), 'f', value(), value(), value()],
  ['HGET', key('hash'), 'f'],
  ['HGETALL', key('hash')],
  ['HMGET', key('hash'), 'f', 'g', ''],
  ['HINCRBY', key('hash'), 'n', small()],
  ['HDEL', key('hash'), 'f', 'g'],
  ['HKEYS', key('hash')],
  ['HSCAN', key('hash'), 0],
  ['HSTRLEN', key('hash'), 'f'],
];

const lists = ({ key, value, small }: Draws): Command[] => [
  ['RPUSH', key('list'), value(), value(), value()],
  ['LPUSH', key('list'), 'message', value()],
  ['LRANGE', key('list'), small(), -1],
  ['LPOP', key('list')],
  ['LPOP', key('list'), 2],
  ['LINDEX', key('list'), small()],
  ['LSET', key('list'), small(), value()],
  ['LMOVE', 'list0', 'list1', 'LEFT', 'RIGHT'],
  ['LMPOP', 2, 'list0', 'list1', 'RIGHT', 'COUNT', 2],
  ['LTRIM', key('list'), 0, 3],
  ['LPOS', key('list'), 'message'],
  ['SORT', key('list'), 'ALPHA'],
  ['LLEN', key('list')],
];

const sets = ({ key, value }: Draws): Command[] => [
  ['SADD', key('set'), value(), 'a', 'b'],
  ['SMEMBERS', key('set')],
  ['SISMEMBER', key('set'), 'a'],
  ['SMISMEMBER', key('set'), 'a', 'x', ''],
  ['SREM', key('set'), 'a'],
  ['SINTER', 'set0', 'set1'],
  ['SUNION', 'set0', 'set1', 'nothing'],
  ['SCARD', key('set')],
  ['SPOP', 'nothing', 3],
];

const sortedSets = ({ key, value, small }: Draws): Command[] => [
  ['ZADD', key('zset'), 1.5, value(), small(), 'b', '-inf', 'c'],
  ['ZADD', key('zset'), 'INCR', small(), 'b'],
  ['ZRANGE', key('zset'), 0, -1, 'WITHSCORES'],
  ['ZRANGE', key('zset'), '(1', '+inf', 'BYSCORE', 'LIMIT', 0, 2],
  ['ZSCORE', key('zset'), 'b'],
  ['ZMSCORE', key('zset'), 'b', 'nobody'],
  ['ZPOPMIN', key('zset')],
  ['ZRANK', key('zset'), 'b'],
  ['ZUNION', 2, 'zset0', 'zset1', 'WITHSCORES'],
  ['ZMPOP', 1, key('zset'), 'MAX'],
  ['GEOADD', key('geo'), 13.4, 52.5, value()],
  ['GEOSEARCH', key('geo'), 'FROMLONLAT', 13, 52, 'BYRADIUS', 200, 'km', 'ASC', 'WITHCOORD'],
];

const streams = ({ key, value, small }: Draws): Command[] => [
  ['XADD', key('stream'), `${5 + small()}-1`, 'f', value()],
  ['XADD', key('stream'), 'NOMKSTREAM', '9-9', '', value()],
  ['XRANGE', key('stream'), '-', '+'],
  ['XREVRANGE', key('stream'), '+', '-', 'COUNT', 1],
  ['XLEN', key('stream')],
  ['XREAD', 'COUNT', 2, 'STREAMS', 'stream0', 'stream1', 0, 0],
  ['XGROUP', 'CREATE', key('stream'), 'group', 0, 'MKSTREAM'],
  ['XREADGROUP', 'GROUP', 'group', 'me', 'STREAMS', key('stream'), '>'],
  ['XACK', key('stream'), 'group', '5-1', '6-1'],
  ['XPENDING', key('stream'), 'group'],
  ['XTRIM', key('stream'), 'MAXLEN', 1],
];

const others = ({ key, value, protocolType }: Draws): Command[] => [
  ['PING', value()],
  ['ECHO', value()],
  ['TYPE', key('str')],
  ['EXISTS', 'str0', 'list0', 'nothing'],
  ['DEL', key('list'), key('set')],
  ['OBJECT', 'ENCODING', key('hash')],
  ['RENAME', key('str'), 'str1'],
  ['COPY', 'str0', 'str1', 'REPLACE'],
  ['EXPIREAT', key('str'), 33_000_000_000],
  ['EXPIRETIME', 'nothing'],
  ['DUMP', 'str0'],
  ['DBSIZE'],
  ['SCAN', 0, 'MATCH', 'nothing*', 'COUNT', 10_000],
  ['FLUSHDB'],
  ['CLIENT', 'SETNAME', 'somebody'],
  ['CLIENT', 'GETNAME'],
  ['CLIENT', 'SETINFO', 'LIB-NAME', 'x'],
  ['CONFIG', 'GET', 'maxmemory-policy'],
  ['COMMAND', 'INFO', 'get', 'nosuch'],
  ['LATENCY', 'DOCTOR'],
  ['PUBLISH', 'nobody listens', value()],
  ['PUBSUB', 'NUMSUB', 'nobody listens'],
  ['UNWATCH'],
  ['WAIT', 0, 0],
  ['DEBUG', 'PROTOCOL', protocolType()],
];

const scripts = ({ key, value, sha, script }: Draws): Command[] => [
  ['EVAL', script(), 1, key('num'), value()],
  ['EVALSHA', sha(), 1, key('num'), value()],
  ['EVALSHA', 'f'.repeat(40), 0],
  ['SCRIPT', 'EXISTS', sha(), 'e'.repeat(40)],
  ['EVAL_RO', 'return ARGV[1]', 0, value()],
];

const mistakes = ({ key, value }: Draws): Command[] => [
  ['NOSUCHCOMMAND', value()],
  ['GET'],
  ['GET', 'list0', 'too', 'many'],
  ['LPUSH', 'str0', value()],
  ['INCR', key('list')],
  ['SET', key('str'), value(), 'BAD', 'OPTION'],
  ['EXEC'],
  ['DISCARD'],
  ['RESTORE', key('str'), 0, value()],
  ['HELLO', 9],
  ['ZADD', key('zset'), 'nan', 'x'],
  ['', value()],
  ['CLIENT'],
];
