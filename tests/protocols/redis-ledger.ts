import { Redis } from 'ioredis';
import type { Random } from '#lib/chaos/random.ts';
import { RawClient } from '#tests/support/raw-client.ts';
import { completeReplies, encodeCommand, type RespValue, type Word } from '#tests/support/resp.ts';

/**
 * Writes that belong together: one command, or a transaction. What the client believes after the replies it got:
 * acknowledged, refused by an error, or unknown because no reply came.
 */
export interface Entry {
  readonly ids: readonly string[];
  belief: 'acknowledged' | 'refused' | 'unknown';
}

/** What one client wrote to one list, in order, and what it believes of it. */
export interface Ledger {
  readonly key: string;
  readonly entries: Entry[];
}

interface Unit {
  readonly commands: readonly Word[][];
  /** Judges the replies to these commands; fewer have come when the connection ended. */
  judge(replies: readonly RespValue[]): void;
}

/** How long a sequence waits for its replies before its client gives up, ms. */
const PATIENCE_MS = 400;

/** Sends random ledgers over bare connections, each ledger one pipeline in random pieces. */
export class RawLedgers {
  readonly ledgers: Ledger[] = [];
  readonly #port: number;
  readonly #random: Random;
  readonly #name: string;
  readonly #protocol: 2 | 3;
  #client: RawClient | undefined;
  #written = 0;

  constructor(port: number, random: Random, name: string, protocol: 2 | 3) {
    this.#port = port;
    this.#random = random;
    this.#name = name;
    this.#protocol = protocol;
  }

  async sequence(): Promise<void> {
    const ledger: Ledger = { key: `${this.#name}:${this.ledgers.length}`, entries: [] };
    this.ledgers.push(ledger);
    const units = Array.from({ length: 1 + Math.floor(this.#random() * 6) }, () => this.#unit(ledger));
    const client = this.#connected();
    const commands = units.flatMap((unit) => unit.commands);
    await client.sendInPieces(Buffer.concat(commands.map(encodeCommand)), this.#random);
    const replies = await this.#replies(client, commands.length);
    let at = 0;
    for (const unit of units) {
      unit.judge(replies.slice(at, at + unit.commands.length));
      at += unit.commands.length;
    }
    if (replies.length < commands.length)
      this.close(); // it would answer the next sequence
    else if (this.#random() < 0.2) this.close();
  }

  /** Asks for a random token on the connection that is open, or on a new one; gives what came back. */
  async marker(): Promise<string> {
    if (this.#client?.isOver) this.close();
    const client = this.#connected();
    const token = `marker-${this.#random()}`;
    client.send(encodeCommand(['ECHO', token]));
    const [reply] = await this.#replies(client, 1, 10_000);
    // It was cut before the fault ended, which the client had not seen yet.
    if (!reply && client.isOver && client.pending === '') return this.marker();
    await client.changed(1);
    const more = client.take();
    return reply?.text === token && more === '' ? 'the token alone' : `${reply?.raw} ${more}`;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #connected(): RawClient {
    if (this.#client && !this.#client.isOver) return this.#client;
    this.#client = new RawClient(this.#port);
    if (this.#protocol === 3) {
      this.#client.send(encodeCommand(['HELLO', 3]));
      this.#greeted = false;
    }
    return this.#client;
  }

  #greeted = true;

  async #replies(client: RawClient, count: number, patienceMs = PATIENCE_MS): Promise<RespValue[]> {
    const wanted = this.#greeted ? count : count + 1;
    const until = performance.now() + patienceMs;
    let replies = completeReplies(client.pending);
    while (replies.length < wanted && !client.isOver && performance.now() < until) {
      await client.changed(until - performance.now());
      replies = completeReplies(client.pending);
    }
    if (replies.length > wanted) throw new Error(`Too many replies: ${client.pending}`);
    if (replies.length === wanted) client.take();
    const greeting = this.#greeted ? [] : replies.splice(0, 1);
    if (greeting[0] && greeting[0].type !== '%') throw new Error(`Not greeted: ${greeting[0].raw}`);
    if (greeting[0]) this.#greeted = true;
    return replies;
  }

  #unit(ledger: Ledger): Unit {
    const chance = this.#random();
    if (chance < 0.2) return this.#echo();
    if (chance < 0.5) return this.#transaction(ledger);
    const id = this.#id();
    const entry: Entry = { ids: [id], belief: 'unknown' };
    ledger.entries.push(entry);
    const script = "return redis.call('rpush', KEYS[1], ARGV[1])";
    const command = chance < 0.7 ? ['EVAL', script, 1, ledger.key, id] : ['RPUSH', ledger.key, id];
    return {
      commands: [command],
      judge: ([reply]) => {
        if (reply) entry.belief = reply.type === ':' ? 'acknowledged' : refused(reply);
      },
    };
  }

  /** No write: its reply shows that replies belong to their commands. */
  #echo(): Unit {
    const token = this.#id();
    return {
      commands: [['ECHO', token]],
      judge: ([reply]) => {
        if (reply && reply.text !== token) refused(reply);
      },
    };
  }

  #transaction(ledger: Ledger): Unit {
    const ids = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => this.#id());
    const entry: Entry = { ids, belief: 'unknown' };
    ledger.entries.push(entry);
    const discards = this.#random() < 0.15;
    const commands: Word[][] = [
      ['MULTI'],
      ...ids.map((id) => ['RPUSH', ledger.key, id]),
      [discards ? 'DISCARD' : 'EXEC'],
    ];
    if (this.#random() < 0.3) commands.unshift(['WATCH', 'nobody writes this']);
    return {
      commands,
      judge: (replies) => {
        const last = replies[commands.length - 1];
        if (!last) {
          if (discards) entry.belief = 'refused'; // whatever came, nothing can have been executed
          return;
        }
        const queued = replies.slice(-1 - ids.length, -1);
        const rejected = queued.filter((reply) => reply.type === '-');
        for (const reply of rejected) refused(reply);
        if (last.type === '*') {
          entry.belief = 'acknowledged';
          if (rejected.length > 0 || last.items.length !== ids.length) {
            throw new Error(`Half a transaction: ${replies.map((reply) => reply.raw).join('')}`);
          }
        } else if (discards && last.raw === '+OK\r\n') {
          entry.belief = 'refused';
        } else if (/^EXECABORT/.test(last.text)) {
          entry.belief = 'refused';
        } else {
          entry.belief = refused(last);
        }
      },
    };
  }

  #id(): string {
    return `${this.#name}-${this.#written++}`;
  }
}

/** @throws {Error} for anything but an error of a fault */
function refused(reply: RespValue): 'refused' {
  if (reply.type === '-' && reply.text.includes('[brownout:')) return 'refused';
  throw new Error(`A reply in the wrong place: ${reply.raw}`);
}

/** The same through ioredis: pipelines and transactions. */
export class LibraryLedgers {
  readonly ledgers: Ledger[] = [];
  readonly #client: Redis;
  readonly #random: Random;
  readonly #name: string;
  #written = 0;

  constructor(port: number, random: Random, name: string, protocol: 2 | 3) {
    this.#random = random;
    this.#name = name;
    this.#client = new Redis({
      host: '127.0.0.1',
      port,
      protocol,
      commandTimeout: PATIENCE_MS,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 5,
    });
    this.#client.on('error', () => {});
  }

  async sequence(): Promise<void> {
    const key = `${this.#name}:${this.ledgers.length}`;
    const ledger: Ledger = { key, entries: [] };
    this.ledgers.push(ledger);
    const entry = (count: number): Entry => {
      const ids = Array.from({ length: count }, () => `${this.#name}-${this.#written++}`);
      const made: Entry = { ids, belief: 'unknown' };
      ledger.entries.push(made);
      return made;
    };
    const believe = (made: Entry, work: Promise<unknown>) =>
      work.then(
        () => {
          made.belief = 'acknowledged';
        },
        (error: Error) => {
          if (/\[brownout:|EXECABORT/.test(error.message)) made.belief = 'refused';
        },
      );
    const work: Promise<unknown>[] = [];
    for (let left = 1 + Math.floor(this.#random() * 5); left > 0; left--) {
      if (this.#random() < 0.5) {
        const made = entry(1);
        work.push(believe(made, this.#client.rpush(key, made.ids[0] ?? '')));
      } else {
        const made = entry(1 + Math.floor(this.#random() * 3));
        const transaction = this.#client.multi();
        for (const id of made.ids) transaction.rpush(key, id);
        work.push(believe(made, transaction.exec()));
      }
    }
    await Promise.all(work);
  }

  async marker(): Promise<string> {
    const token = `marker-${this.#random()}`;
    for (const until = performance.now() + 10_000; performance.now() < until; ) {
      const reply = await this.#client.echo(token).catch(() => undefined);
      if (reply !== undefined) return reply === token ? 'the token alone' : reply;
    }
    return 'no answer';
  }

  close(): void {
    this.#client.disconnect();
  }
}

/** What disagrees between a client's beliefs and what the server holds. */
export function disagreements({ key, entries }: Ledger, held: readonly string[]): string[] {
  const found: string[] = [];
  const places = new Map<string, number>();
  for (const [place, id] of held.entries()) {
    if (places.has(id)) found.push(`${key}: ${id} is there twice`);
    places.set(id, place);
  }
  let last = -1;
  for (const { ids, belief } of entries) {
    const there = ids.filter((id) => places.has(id)).length;
    if (belief === 'acknowledged' && there < ids.length) found.push(`${key}: ${ids} acknowledged, not there`);
    if (belief === 'refused' && there > 0) found.push(`${key}: ${ids} refused, there`);
    if (there !== 0 && there !== ids.length) found.push(`${key}: half of ${ids} there`);
    for (const id of ids) {
      const place = places.get(id);
      if (place === undefined) continue;
      if (place < last) found.push(`${key}: ${id} overtook`);
      last = place;
    }
  }
  return found;
}
