import type { CommandHead } from './command-framer.ts';

/** Commands by which a client introduces itself; faults answer none of them before its first other command. */
const GREETINGS = new Set(['HELLO', 'AUTH', 'CLIENT', 'SELECT', 'INFO', 'READONLY', 'COMMAND']);

/**
 * Commands that no fault answers: those that open or end something the peers must agree on. A MULTI that failed would
 * let the commands after it run one by one.
 */
const NEVER_ANSWERED = new Set([
  'HELLO',
  'AUTH',
  'CLIENT',
  'SELECT',
  'QUIT',
  'RESET',
  'MULTI',
  'DISCARD',
  'UNWATCH',
]);

const SUBSCRIPTIONS = new Set([
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
  'SSUBSCRIBE',
  'SUNSUBSCRIBE',
]);

const BLOCKING = new Set([
  'BLPOP',
  'BRPOP',
  'BLMOVE',
  'BLMPOP',
  'BRPOPLPUSH',
  'BZPOPMIN',
  'BZPOPMAX',
  'BZMPOP',
  'XREAD',
  'XREADGROUP',
  'WAIT',
]);

/** First words of what a RESP2 server sends a subscriber without being asked. */
const PUSHED = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'message',
  'pmessage',
  'smessage',
]);

export function isGreeting(head: CommandHead): boolean {
  return GREETINGS.has(head.name);
}

export function isNeverAnswered(head: CommandHead): boolean {
  return NEVER_ANSWERED.has(head.name);
}

export function isSubscription(head: CommandHead): boolean {
  return SUBSCRIPTIONS.has(head.name);
}

export function isBlocking(head: CommandHead): boolean {
  return BLOCKING.has(head.name);
}

export function isPublish(command: string | undefined): boolean {
  return command === 'PUBLISH' || command === 'SPUBLISH';
}

export function isSubscribing(command: string | undefined): boolean {
  return command === 'SUBSCRIBE' || command === 'PSUBSCRIBE' || command === 'SSUBSCRIBE';
}

/** After these the stream is no longer one reply to a command. */
export function leavesRequestReply(head: CommandHead): boolean {
  const { name, sub } = head;
  return name === 'MONITOR' || name === 'SYNC' || name === 'PSYNC' || (name === 'CLIENT' && sub === 'REPLY');
}

export function isPushedWord(word: string): boolean {
  return PUSHED.has(word.toLowerCase());
}

export function isConfirmation(word: string): boolean {
  return SUBSCRIPTIONS.has(word.toUpperCase());
}

/** Commands that a full or read-only Redis still answers. What is not listed may write. */
const READ_ONLY = new Set(
  (
    'PING ECHO TIME INFO COMMAND CONFIG ROLE LASTSAVE DBSIZE MULTI EXEC DISCARD WATCH UNWATCH WAIT MEMORY SLOWLOG ' +
    'SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH PUBSUB SCRIPT ' +
    'GET MGET STRLEN GETRANGE SUBSTR EXISTS TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANDOMKEY OBJECT DUMP ' +
    'TOUCH GETBIT BITCOUNT BITPOS LCS HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HSCAN HRANDFIELD LRANGE ' +
    'LINDEX LLEN LPOS SMEMBERS SISMEMBER SMISMEMBER SCARD SRANDMEMBER SSCAN SINTER SUNION SDIFF SINTERCARD ZRANGE ' +
    'ZRANGEBYSCORE ZRANGEBYLEX ZREVRANGE ZREVRANGEBYSCORE ZREVRANGEBYLEX ZSCORE ZMSCORE ZCARD ZCOUNT ZLEXCOUNT ' +
    'ZRANK ZREVRANK ZSCAN ZRANDMEMBER ZINTER ZUNION ZDIFF ZINTERCARD XLEN XRANGE XREVRANGE XREAD XINFO XPENDING ' +
    'PFCOUNT GEOPOS GEODIST GEOHASH GEOSEARCH EVAL_RO EVALSHA_RO FCALL_RO'
  ).split(' '),
);

export function isReadOnly(command: string | undefined): boolean {
  return command !== undefined && READ_ONLY.has(command);
}
