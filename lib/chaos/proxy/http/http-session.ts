import type { FaultSpec } from '../../faults/fault.ts';
import type { CallInfo } from '../../faults/injector.ts';
import type { Outcome } from '../service-faults.ts';
import type { LinkPort, Session } from '../session.ts';
import { BodyReader } from './body-reader.ts';
import { errorAnswer } from './error-answer.ts';
import { type HeadFacts, NO_BODY, parseHead, requestBody, responseBody } from './http-head.ts';
import { KeptBody } from './kept-body.ts';
import { scanHead } from './scan-head.ts';
import { type KeptAnswer, spoiltAnswer } from './spoilt-answer.ts';

const EMPTY = Buffer.alloc(0);
const CR = 13;
const LF = 10;
/** Longest head that is waited for and kept meanwhile; what is longer is not HTTP. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** A body longer than this is not kept to be spoilt: it is cut there. */
export const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** The request that is being handled; HTTP/1.1 answers in order, so there is one. */
interface Exchange {
  /** Its answer has a head only. */
  readonly isHead: boolean;
  readonly body: BodyReader;
  delayMs: number;
  /** Set when a fault answers instead of the server. */
  readonly answer: Buffer | undefined;
  /** The connection ends with this answer. */
  readonly last: boolean;
  readonly spoil: { readonly fault: FaultSpec; readonly draw: number } | undefined;
  /** Its first bytes have gone to the server. */
  sent: boolean;
  /** The server has answered before it had the whole body. */
  answered: boolean;
}

interface Response {
  readonly body: BodyReader;
  /** One that is going to be spoilt. */
  readonly kept: KeptAnswer | undefined;
}

/** Of most requests. */
const NOTHING = new BodyReader(NO_BODY);

/**
 * HTTP/1.1 between a client and its server, request by request; keep-alive stays.
 *
 * The server is dialled for the first request that goes through and never sees one that a fault answers. A pipelined
 * request waits until the one before it is answered.
 */
export class HttpSession implements Session {
  readonly holdsBytes = false;
  readonly #link: LinkPort;
  #fromClient: Buffer = EMPTY;
  #fromServer: Buffer = EMPTY;
  #exchange: Exchange | undefined;
  #response: Response | undefined;
  /** The connection is being closed: nothing more is looked at. */
  #over = false;
  /** Passes the client's end on, which waits for the requests before it. */
  #endClient: (() => void) | undefined;

  constructor(link: LinkPort) {
    this.#link = link;
  }

  fromClient(chunk: Buffer): void {
    const carry = this.#fromClient;
    this.#fromClient = EMPTY;
    const bytes = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk;
    const waits = carry.length > 0 && !this.#exchange && bytes.length <= MAX_HEAD_BYTES;
    if (waits && !endsHead(bytes, carry.length)) this.#fromClient = bytes;
    else this.#requests(bytes);
  }

  fromServer(chunk: Buffer): void {
    const carry = this.#fromServer;
    this.#fromServer = EMPTY;
    const bytes = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk;
    if (carry.length > 0 && !endsHead(bytes, carry.length)) {
      this.#awaitAnswer(bytes);
      return;
    }
    let at = 0;
    let from = 0; // what lies before it has been passed
    while (at < bytes.length && !this.#over) {
      if (!this.#response) {
        const head = scanHead(bytes, at);
        if (typeof head === 'string' || head.status === 101) {
          this.#toClient(bytes, from, at);
          this.#fromServer = bytes.subarray(at);
          if (head === 'more') this.#awaitAnswer(this.#fromServer);
          else this.#degrade(head === 'bad' ? 'answers are not HTTP' : 'upgraded connection');
          return;
        }
        if (isInterim(head)) from = this.#toClient(bytes, from, head.end);
        else this.#response = this.#begin(head, bytes, at);
        at = head.end;
      } else {
        at = this.#response.body.read(bytes, at);
      }
      const response = this.#response;
      if (!response) continue;
      const ended = response.body.done || isTooLong(response.kept);
      if (response.kept) from = at;
      else if (ended) from = this.#toClient(bytes, from, at);
      if (ended) this.#complete(response);
    }
    this.#toClient(bytes, from, at);
  }

  /** @returns `end` */
  #toClient(bytes: Buffer, from: number, end: number): number {
    if (end > from) this.#link.toClient(part(bytes, from, end));
    return end;
  }

  /** Keeps the beginning of an answer's head. */
  #awaitAnswer(bytes: Buffer): void {
    this.#fromServer = bytes;
    if (bytes.length > MAX_HEAD_BYTES) this.#degrade('answers are not HTTP');
  }

  clientEnded(pass: () => void): void {
    if (this.#owesClient) this.#endClient = pass;
    else pass();
  }

  delaysChanged(): void {
    if (this.#exchange) this.#exchange.delayMs = 0;
  }

  serverEnded(): void {
    if (this.#response?.kept) this.#complete(this.#response);
  }

  outlivesServer(): boolean {
    return this.#exchange !== undefined && !this.#exchange.sent && !this.#response;
  }

  atBoundary(): boolean {
    return this.#exchange === undefined && (this.#link.closing || this.#fromClient.length === 0);
  }

  #requests(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#over) {
      const exchange = this.#exchange;
      if (exchange?.body.done) {
        this.#fromClient = bytes.subarray(at); // pipelined: wait for the answer before it
        this.#link.pauseClient(true);
        return;
      }
      if (exchange) {
        const end = exchange.body.read(bytes, at);
        if (!exchange.answer) this.#link.toServer(part(bytes, at, end), exchange.delayMs);
        at = end;
        if (exchange.answered && exchange.body.done) {
          this.#exchange = undefined;
          this.#link.settled();
        }
      } else if (bytes[at] === CR || bytes[at] === LF) {
        this.#link.toServer(bytes.subarray(at, at + 1), 0); // an empty line before a request means nothing
        at++;
      } else {
        const head = scanHead(bytes, at);
        if (head === 'more' && bytes.length - at <= MAX_HEAD_BYTES && isLetter(bytes[at] ?? 0)) {
          this.#fromClient = bytes.subarray(at);
          return;
        }
        if (typeof head === 'string' || head.isConnect) {
          this.#fromClient = bytes.subarray(at);
          this.#degrade(bytes[at] === 0x16 ? 'encrypted bytes' : 'not HTTP');
          return;
        }
        if (this.#link.closing) return;
        const begun = this.#request(head, bytes, at);
        if (!begun) return;
        this.#exchange = begun;
        // With what came of its body, so that one write does.
        const end = begun.body.read(bytes, head.end);
        if (!begun.answer) this.#send(begun, part(bytes, at, end));
        at = end;
      }
      this.#answerWhenRead();
    }
  }

  #send(exchange: Exchange, bytes: Buffer): void {
    this.#link.inOrder(exchange.delayMs, () => {
      exchange.sent = true;
    });
    this.#link.toServer(bytes, exchange.delayMs);
  }

  /** Begins an exchange; undefined when the connection is given up. */
  #request(head: HeadFacts, bytes: Buffer, at: number): Exchange | undefined {
    const { faults } = this.#link;
    this.#link.countRequest();
    if (faults.quiet) return this.#exchangeOf(head, 0, undefined);
    const call = callOf(bytes.toString('latin1', at, head.end));
    const delayMs = faults.delayMs(call);
    const outcome = faults.outcome(call);
    if (outcome) this.#link.countHit();
    if (outcome?.action === 'hold') {
      this.#link.hold(outcome.fault);
      return undefined;
    }
    if (outcome?.action === 'reset') {
      this.#link.reset();
      return undefined;
    }
    return this.#exchangeOf(head, delayMs, outcome);
  }

  #exchangeOf(head: HeadFacts, delayMs: number, outcome: Outcome | undefined): Exchange {
    const { isHead, expects } = head;
    const last = head.last || expects;
    const answer = outcome?.action === 'answer' ? errorAnswer(outcome.fault, isHead, last) : undefined;
    // Who expects "100 Continue" has not sent the body and will not.
    const body = answer && expects ? NO_BODY : requestBody(head);
    return {
      isHead,
      body: body === NO_BODY ? NOTHING : new BodyReader(body),
      delayMs,
      answer,
      last,
      spoil: outcome?.action === 'malform' ? outcome : undefined,
      sent: false,
      answered: false,
    };
  }

  #answerWhenRead(): void {
    const exchange = this.#exchange;
    if (!exchange?.answer || !exchange.body.done) return;
    const { answer, last, delayMs } = exchange;
    this.#link.inOrder(delayMs, () => {
      this.#link.toClient(answer);
      if (last) this.#finish();
      else this.#next();
    });
  }

  #finish(): void {
    this.#over = true;
    this.#link.finish();
  }

  /** Hands over everything that was kept on either side. */
  #degrade(reason: string): void {
    const [client, server] = [this.#fromClient, this.#fromServer];
    this.#fromClient = EMPTY;
    this.#fromServer = EMPTY;
    this.#link.pauseClient(false);
    this.#link.degrade(reason, client, server);
    this.#endClient?.();
  }

  /** Begins an answer; the head of one that is going to be spoilt is kept too. */
  #begin(head: HeadFacts, bytes: Buffer, at: number): Response {
    const exchange = this.#exchange;
    const length = responseBody(head, exchange?.isHead ?? false);
    const parsed = exchange?.spoil ? parseHead(bytes.toString('latin1', at, head.end - 4)) : undefined;
    if (!parsed) return { body: length === NO_BODY ? NOTHING : new BodyReader(length), kept: undefined };
    const body = new KeptBody();
    return { body: new BodyReader(length, (bytes) => body.push(bytes)), kept: { head: parsed, body } };
  }

  #complete(response: Response | undefined): void {
    if (!response) return;
    this.#response = undefined;
    const spoil = this.#exchange?.spoil;
    if (response.kept && spoil) {
      const { head, body } = spoiltAnswer(response.kept, spoil.fault, spoil.draw);
      this.#link.toClient(head);
      if (!this.#exchange?.isHead) this.#link.toClient(body);
    }
    if (isTooLong(response.kept)) this.#finish();
    else if (this.#exchange && !this.#exchange.body.done) this.#exchange.answered = true;
    else this.#next();
  }

  /** The exchange is over: a closing connection may go, a waiting request may begin. */
  #next(): void {
    this.#exchange = undefined;
    this.#link.settled();
    if (this.#fromClient.length > 0) {
      const waiting = this.#fromClient;
      this.#fromClient = EMPTY;
      this.#link.pauseClient(false);
      this.#requests(waiting);
    }
    if (!this.#owesClient) this.#endClient?.();
  }

  /** A fault's answer is on its way, or a request waits for the one before it. */
  get #owesClient(): boolean {
    const exchange = this.#exchange;
    return exchange !== undefined && (exchange.answer !== undefined || this.#fromClient.length > 0);
  }
}

function isTooLong(kept: KeptAnswer | undefined): boolean {
  return kept !== undefined && kept.body.sizeBytes > MAX_KEPT_BYTES;
}

function isInterim({ status }: HeadFacts): boolean {
  return status >= 100 && status < 200;
}

function isLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x7a;
}

/** Whether an end of a head lies behind what was there already, the first `known` bytes. */
function endsHead(bytes: Buffer, known: number): boolean {
  return bytes.indexOf('\r\n\r\n', Math.max(0, known - 3)) >= 0;
}

function part(bytes: Buffer, from: number, end: number): Buffer {
  return from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
}

/** The call that a request's head asks for. */
function callOf(head: string): CallInfo {
  const [method = '', target = ''] = head.slice(0, head.indexOf('\r')).split(' ');
  const path = target.replace(/^https?:\/\/[^/]*/, '').split('?')[0] || '/';
  return { kind: `${method} ${path}`, route: path, healthCheck: method === 'GET' && path === '/health' };
}
