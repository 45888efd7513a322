import { FAULT_HEADER, type FaultSpec } from '../../faults/fault.ts';
import { ruleOf } from '../actions.ts';
import type { LinkPort, Session } from '../session.ts';
import { BodyReader } from './body-reader.ts';
import { errorAnswer } from './error-answer.ts';
import { type HttpHead, headerOf, parseHead, renderHead, requestBody, responseBody } from './http-head.ts';
import { KeptBody } from './kept-body.ts';

const EMPTY = Buffer.alloc(0);
const CR = 13;
const LF = 10;
/** Longest head that is waited for and kept meanwhile; what is longer is not HTTP. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** A body longer than this is not kept to be spoilt: it is cut there. */
export const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** The request that is being handled; HTTP/1.1 answers in order, so there is one. */
interface Exchange {
  readonly method: string;
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
  readonly head: HttpHead;
  readonly body: BodyReader;
  /** A body that is going to be spoilt. */
  readonly kept: KeptBody | undefined;
}

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
    const bytes = this.#fromClient.length > 0 ? Buffer.concat([this.#fromClient, chunk]) : chunk;
    this.#fromClient = EMPTY;
    this.#requests(bytes);
  }

  fromServer(chunk: Buffer): void {
    let bytes = this.#fromServer.length > 0 ? Buffer.concat([this.#fromServer, chunk]) : chunk;
    this.#fromServer = EMPTY;
    while (bytes.length > 0 && !this.#over) {
      if (!this.#response) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0) {
          this.#fromServer = bytes;
          if (bytes.length > MAX_HEAD_BYTES) this.#degrade('answers are not HTTP');
          return;
        }
        const head = parseHead(bytes.toString('latin1', 0, end));
        if (!head || Number(head.start[1]) === 101) {
          this.#fromServer = bytes;
          this.#degrade(head ? 'upgraded connection' : 'answers are not HTTP');
          return;
        }
        this.#begin(head, bytes.subarray(0, end + 4));
        bytes = bytes.subarray(end + 4);
      } else {
        const end = this.#response.body.read(bytes, 0);
        if (!this.#response.kept) this.#link.toClient(end === bytes.length ? bytes : bytes.subarray(0, end));
        bytes = bytes.subarray(end);
      }
      if (this.#response?.body.done || isTooLong(this.#response?.kept)) this.#complete(this.#response);
    }
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

  #requests(incoming: Buffer): void {
    let bytes = incoming;
    while (bytes.length > 0 && !this.#over) {
      const exchange = this.#exchange;
      if (exchange?.body.done) {
        this.#fromClient = bytes; // pipelined: wait for the answer before it
        this.#link.pauseClient(true);
        return;
      }
      if (exchange) {
        const end = exchange.body.read(bytes, 0);
        if (!exchange.answer) this.#link.toServer(bytes.subarray(0, end), exchange.delayMs);
        bytes = bytes.subarray(end);
        if (exchange.answered && exchange.body.done) {
          this.#exchange = undefined;
          this.#link.settled();
        }
      } else if (bytes[0] === CR || bytes[0] === LF) {
        this.#link.toServer(bytes.subarray(0, 1), 0); // an empty line before a request means nothing
        bytes = bytes.subarray(1);
      } else {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0 && bytes.length <= MAX_HEAD_BYTES && isText(bytes)) {
          this.#fromClient = bytes;
          return;
        }
        const head = end < 0 ? undefined : parseHead(bytes.toString('latin1', 0, end));
        if (!head || head.start[0] === 'CONNECT') {
          this.#fromClient = bytes;
          this.#degrade(bytes[0] === 0x16 ? 'encrypted bytes' : 'not HTTP');
          return;
        }
        if (this.#link.closing || !this.#request(head, bytes.subarray(0, end + 4))) return;
        bytes = bytes.subarray(end + 4);
      }
      this.#answerWhenRead();
    }
  }

  /** Begins an exchange; false when the connection is given up. */
  #request(head: HttpHead, raw: Buffer): boolean {
    const [method, target] = head.start;
    const { faults } = this.#link;
    const path = target.replace(/^https?:\/\/[^/]*/, '').split('?')[0] || '/';
    const call = {
      kind: `${method} ${path}`,
      route: path,
      healthCheck: method === 'GET' && path === '/health',
    };
    this.#link.countRequest();
    const delayMs = faults.quiet ? 0 : faults.delayMs(call);
    const outcome = faults.quiet ? undefined : faults.outcome(call);
    if (outcome) this.#link.countHit();
    if (outcome?.action === 'hold') {
      this.#link.hold(outcome.fault);
      return false;
    }
    if (outcome?.action === 'reset') {
      this.#link.reset();
      return false;
    }
    const expects = headerOf(head, 'expect') !== undefined;
    const last = /\bclose\b/i.test(headerOf(head, 'connection') ?? '') || head.start[2] === 'HTTP/1.0';
    const answer =
      outcome?.action === 'answer' ? errorAnswer(outcome.fault, method, last || expects) : undefined;
    this.#exchange = {
      method,
      // Who expects "100 Continue" has not sent the body and will not.
      body: new BodyReader(answer && expects ? { kind: 'none' } : (requestBody(head) ?? { kind: 'none' })),
      delayMs,
      answer,
      last: last || expects,
      spoil: outcome?.action === 'malform' ? outcome : undefined,
      sent: false,
      answered: false,
    };
    const exchange = this.#exchange;
    if (answer) return true;
    this.#link.inOrder(delayMs, () => {
      exchange.sent = true;
    });
    this.#link.toServer(raw, delayMs);
    return true;
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

  #begin(head: HttpHead, raw: Buffer): void {
    const status = Number(head.start[1]);
    const exchange = this.#exchange;
    if (status >= 100 && status < 200) {
      this.#link.toClient(raw); // interim: the answer follows
      return;
    }
    const kept = exchange?.spoil ? new KeptBody() : undefined;
    const onData = kept ? (part: Buffer) => kept.push(part) : undefined;
    this.#response = { head, kept, body: new BodyReader(responseBody(head, exchange?.method ?? ''), onData) };
    if (!kept) this.#link.toClient(raw);
  }

  #complete(response: Response | undefined): void {
    if (!response) return;
    this.#response = undefined;
    const spoil = this.#exchange?.spoil;
    if (response.kept && spoil) this.#sendSpoilt(response, response.kept.bytes, spoil.fault, spoil.draw);
    if (isTooLong(response.kept)) this.#finish();
    else if (this.#exchange && !this.#exchange.body.done) this.#exchange.answered = true;
    else this.#next();
  }

  #sendSpoilt(response: Response, kept: Buffer, fault: FaultSpec, draw: number): void {
    const [, code, words] = response.head.start;
    const answer = { status: Number(code), reason: words, body: kept };
    const { status, reason, body } = ruleOf(fault.type)?.spoil?.(answer, fault, draw) ?? answer;
    const headers = response.head.headers.filter(
      ([name]) =>
        !['content-length', 'transfer-encoding', 'content-encoding', 'etag'].includes(name.toLowerCase()),
    );
    const { start } = response.head;
    const spoilt: HttpHead = { start: [start[0], String(status), reason], headers };
    this.#link.toClient(
      renderHead(spoilt, [...headers, ['content-length', String(body.length)], [FAULT_HEADER, fault.id]]),
    );
    if (this.#exchange?.method !== 'HEAD') this.#link.toClient(body);
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

function isTooLong(kept: KeptBody | undefined): boolean {
  return kept !== undefined && kept.sizeBytes > MAX_KEPT_BYTES;
}

function isText(bytes: Buffer): boolean {
  const first = bytes[0] ?? 0;
  return first >= 0x41 && first <= 0x7a;
}
