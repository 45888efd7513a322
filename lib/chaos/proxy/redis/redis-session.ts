import { faultMark } from '../../faults/fault.ts';
import type { Outcome } from '../service-faults.ts';
import type { LinkPort, Session } from '../session.ts';
import { CommandFramer, type CommandHead } from './command-framer.ts';
import {
  isBlocking,
  isConfirmation,
  isGreeting,
  isNeverAnswered,
  isPushedWord,
  isSubscription,
  leavesRequestReply,
} from './commands.ts';
import { queuedInstead, replyOf } from './fault-reply.ts';
import { ReplyFramer } from './reply-framer.ts';
import { Subscriptions } from './subscriptions.ts';

const EMPTY = Buffer.alloc(0);
/** Commands without their reply beyond which the client is not read. */
const MAX_OWED = 65_536;

/** A reply that is owed to the client, in the order of its commands. */
type Owed =
  | { readonly kind: 'reply' }
  | { readonly kind: 'blocking' }
  /** Confirmations of a subscription; `left` of them, which an unsubscription from everything knows at the first. */
  | { readonly kind: 'subscription'; left: number | undefined }
  /** Its reply says which protocol the server speaks from then on, and whether subscriptions are over. */
  | { readonly kind: 'HELLO' | 'RESET' }
  /** Ours: it is sent as soon as everything before it has been. */
  | { readonly kind: 'injected'; readonly bytes: Buffer; ready: boolean }
  /** The server's reply, replaced by ours. */
  | { readonly kind: 'replaced'; readonly bytes: Buffer };

/** One object for the common cases, so that the idle path allocates nothing. */
const REPLY: Owed = { kind: 'reply' };
const BLOCKED: Owed = { kind: 'blocking' };

/** No server knows it, so inside MULTI it makes EXEC answer EXECABORT. */
const REJECTED_COMMAND = Buffer.from('*1\r\n$17\r\nBROWNOUT_REJECTED\r\n');
const DISCARD = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');

/**
 * Redis between a client and its server, RESP2 or RESP3.
 *
 * A command hit by a fault is taken out and its error reply takes its place among the replies. Inside MULTI the real
 * server is made to reject it instead, and only the text of the rejection is ours: EXEC then answers EXECABORT.
 */
export class RedisSession implements Session {
  readonly holdsBytes = true;
  readonly #link: LinkPort;
  readonly #commands: CommandFramer;
  readonly #replies: ReplyFramer;
  #owed: Owed[] = [];
  #owedFrom = 0;
  #delayMs = 0;
  #greeted = false;
  #inMulti = false;
  #current: Owed | undefined;
  #leaving = false;
  #degraded = false;
  #waits = false;
  /** RESP3 marks pushes; in RESP2 a subscriber gets them as arrays. */
  #marksPushes = false;
  readonly #subscriptions = new Subscriptions();
  // The chunk of replies being read.
  #chunk: Buffer = EMPTY;
  #chunkFrom = 0;
  #replacing = false;

  constructor(link: LinkPort) {
    this.#link = link;
    this.#commands = new CommandFramer({
      command: (head) => this.#command(head),
      pass: (bytes) => this.#link.toServer(bytes, this.#delayMs),
      ended: () => this.#commandEnded(),
    });
    this.#replies = new ReplyFramer({
      begins: (type, offset) => this.#replyBegins(type, offset),
      ends: (type, offset, word, number) => this.#replyEnds(type, offset, word, number),
    });
    link.connect();
  }

  fromClient(chunk: Buffer): void {
    const rest = this.#commands.feed(chunk);
    if (this.#degraded) this.#link.toServer(rest ?? this.#commands.rest ?? EMPTY, 0);
    else if (rest) this.#degrade(rest[0] === 0x16 ? 'encrypted bytes' : 'not RESP', rest, EMPTY);
  }

  fromServer(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#chunkFrom = 0;
    const understood = this.#replies.feed(chunk);
    if (this.#degraded) return;
    if (this.#replacing) this.#chunkFrom = chunk.length;
    this.#passReplies(chunk.length);
    this.#chunk = EMPTY;
    if (!understood) this.#degrade('replies are not RESP', EMPTY, EMPTY);
    else this.#link.settled();
  }

  atBoundary(): boolean {
    if (!this.#replies.atBoundary) return false;
    for (let index = this.#owedFrom; index < this.#owed.length; index++) {
      if (this.#owed[index] !== BLOCKED) return false;
    }
    return this.#link.closing || this.#commands.atBoundary;
  }

  delaysChanged(): void {
    this.#delayMs = 0;
  }

  #command(head: CommandHead): 'pass' | 'drop' {
    if (this.#degraded) return 'pass';
    this.#link.countRequest();
    this.#current = undefined;
    if (this.#link.closing) return 'drop';
    this.#leaving = leavesRequestReply(head);
    const greeting = !this.#greeted && isGreeting(head);
    if (!greeting) this.#greeted = true;
    const { faults } = this.#link;
    if (!faults.quiet) {
      const call = {
        kind: head.name,
        command: head.name,
        healthCheck: head.name === 'PING',
        channels: head.channels,
      };
      this.#delayMs = faults.delayMs(call);
      const outcome = greeting || isNeverAnswered(head) ? undefined : faults.outcome(call);
      if (outcome) {
        this.#link.countHit();
        return this.#disturb(head, outcome);
      }
    } else {
      this.#delayMs = 0;
    }
    this.#follow(head);
    this.#current = this.#replyTo(head);
    this.#owe(this.#current);
    return 'pass';
  }

  #replyTo(head: CommandHead): Owed {
    const { name, words } = head;
    if (name === 'HELLO' || name === 'RESET') return { kind: name };
    if (!isSubscription(head)) return isBlocking(head) ? BLOCKED : REPLY;
    if (!this.#inMulti) return { kind: 'subscription', left: words > 1 ? words - 1 : undefined };
    this.#subscriptions.addUnread();
    return REPLY;
  }

  #follow(head: CommandHead): void {
    if (head.name === 'MULTI') this.#inMulti = true;
    else if (head.name === 'EXEC' || head.name === 'DISCARD' || head.name === 'RESET') this.#inMulti = false;
  }

  #disturb(head: CommandHead, outcome: Outcome): 'drop' {
    const { fault } = outcome;
    if (outcome.action === 'reset') {
      this.#link.reset();
      return 'drop';
    }
    if (outcome.action === 'hold') {
      this.#link.hold(fault);
      return 'drop';
    }
    if (!this.#inMulti) {
      const bytes = Buffer.from(replyOf(fault));
      this.#current = { kind: 'injected', bytes, ready: false };
      this.#owe(this.#current);
      return 'drop';
    }
    const queued = queuedInstead(fault);
    if (queued && head.name !== 'EXEC') {
      this.#owe(REPLY);
      this.#link.toServer(queued, this.#delayMs);
      return 'drop';
    }
    // The command inside MULTI is refused by the server itself; EXEC becomes DISCARD.
    const exec = head.name === 'EXEC';
    const text = exec
      ? `-EXECABORT Transaction discarded by fault ${fault.type} ${faultMark(fault.id)}\r\n`
      : replyOf(fault);
    if (exec) this.#inMulti = false;
    this.#owe({ kind: 'replaced', bytes: Buffer.from(text) });
    this.#link.toServer(exec ? DISCARD : REJECTED_COMMAND, this.#delayMs);
    return 'drop';
  }

  #commandEnded(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current?.kind === 'injected') {
      this.#link.inOrder(this.#delayMs, () => {
        current.ready = true;
        if (this.#replies.atBoundary) this.#flushInjected();
        this.#link.settled();
      });
    } else if (this.#leaving) {
      this.#degrade('the connection left request and reply', EMPTY, EMPTY);
    }
  }

  #owe(owed: Owed): void {
    this.#owed.push(owed);
    if (this.#waits || this.#owed.length - this.#owedFrom < MAX_OWED) return;
    this.#waits = true;
    this.#link.pauseClient(true);
  }

  #head(): Owed | undefined {
    return this.#owed[this.#owedFrom];
  }

  #shift(): void {
    if (this.#owedFrom === this.#owed.length) return; // a reply that nobody asked for
    this.#owedFrom++;
    if (this.#waits && this.#owed.length - this.#owedFrom < MAX_OWED / 2) {
      this.#waits = false;
      this.#link.pauseClient(false);
    }
    if (this.#owedFrom === this.#owed.length) {
      this.#owed.length = 0;
      this.#owedFrom = 0;
    } else if (this.#owedFrom > 1024) {
      this.#owed = this.#owed.slice(this.#owedFrom);
      this.#owedFrom = 0;
    }
  }

  #replyBegins(type: string, offset: number): void {
    // The server's answer to a refused command is a line; anything else is a push before it.
    if ((type !== '+' && type !== '-') || this.#head()?.kind !== 'replaced') return;
    this.#passReplies(offset);
    this.#replacing = true;
  }

  #replyEnds(type: string, offset: number, word: string, number: number): void {
    const head = this.#head();
    if (this.#replacing && head?.kind === 'replaced') {
      this.#replacing = false;
      this.#chunkFrom = offset;
      this.#shift();
      this.#link.toClient(head.bytes);
    } else if (this.#isPush(type, word)) {
      if (isConfirmation(word)) this.#confirmed(word, number);
    } else {
      if (head?.kind === 'RESET' && type === '+') this.#subscriptions.clear();
      if ((head?.kind === 'HELLO' || head?.kind === 'RESET') && type !== '-')
        this.#marksPushes = type === '%';
      this.#shift();
    }
    if (this.#head()?.kind === 'injected') {
      this.#passReplies(offset);
      this.#flushInjected();
    }
  }

  #isPush(type: string, word: string): boolean {
    if (type === '>') {
      this.#marksPushes = true;
      return true;
    }
    if (type !== '*' || this.#marksPushes || !isPushedWord(word)) return false;
    return this.#subscriptions.any || (this.#head()?.kind === 'subscription' && isConfirmation(word));
  }

  #confirmed(word: string, total: number): void {
    const head = this.#head();
    if (head?.kind === 'subscription') {
      head.left = (head.left ?? this.#subscriptions.answersToAll(word)) - 1;
      if (head.left === 0) this.#shift();
    }
    this.#subscriptions.confirmed(word, total);
  }

  /** Sends our replies whose turn has come. */
  #flushInjected(): void {
    for (let head = this.#head(); head?.kind === 'injected' && head.ready; head = this.#head()) {
      this.#shift();
      this.#link.toClient(head.bytes);
    }
  }

  #passReplies(until: number): void {
    const { length } = this.#chunk;
    if (until <= this.#chunkFrom) return;
    this.#link.toClient(
      this.#chunkFrom === 0 && until === length ? this.#chunk : this.#chunk.subarray(this.#chunkFrom, until),
    );
    this.#chunkFrom = until;
  }

  #degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    if (this.#degraded) return;
    this.#degraded = true;
    const kept = clientRest.length > 0 ? clientRest : this.#commands.rest;
    // A command taken out in part, or a reply of ours that has lost its place: the streams no longer fit together.
    if (kept === undefined || this.#owesOurs()) this.#link.reset();
    else this.#link.degrade(reason, kept, serverRest);
  }

  #owesOurs(): boolean {
    for (let index = this.#owedFrom; index < this.#owed.length; index++) {
      const kind = this.#owed[index]?.kind;
      if (kind === 'injected' || kind === 'replaced') return true;
    }
    return false;
  }
}
