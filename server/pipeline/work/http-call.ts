import { Agent, request } from 'node:http';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import type { DependencyAddress } from '#server/dependency-addresses.ts';

export interface HttpCall extends DependencyAddress {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
  /** To an open connection, ms. */
  connectMs: number;
  /** For everything, connecting included, ms. */
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  body: string;
  /** The fault that made this answer, from its header. */
  faultId: string | undefined;
  /** From Retry-After in seconds. */
  retryAfterMs: number | undefined;
}

/** The answer did not come in time. The server may still be working on the call. */
export class HttpTimeoutError extends Error {
  readonly code = 'DEADLINE_EXCEEDED';

  constructor(what: string, limitMs: number) {
    super(`${what} timed out after ${limitMs} ms`);
    this.name = new.target.name;
  }
}

/** An answer with a status from 400. `body` is its first 2 KiB. */
export class HttpStatusError extends Error {
  readonly code = 'HTTP_STATUS';
  readonly status: number;
  readonly body: string;
  readonly faultId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(what: string, answer: HttpAnswer) {
    super(`${what} answered ${answer.status}`);
    this.name = new.target.name;
    this.status = answer.status;
    this.body = answer.body.slice(0, 2048);
    this.faultId = answer.faultId;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** A 2xx answer whose body cannot be used. */
export class MalformedAnswerError extends Error {
  readonly code = 'MALFORMED';
  readonly body: string;
  readonly faultId: string | undefined;

  constructor(what: string, answer: HttpAnswer, options?: ErrorOptions) {
    super(`${what} gave an answer that cannot be used`, options);
    this.name = new.target.name;
    this.body = answer.body.slice(0, 2048);
    this.faultId = answer.faultId;
  }
}

/** Larger answers are cut off by an error. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

const agent = new Agent({ keepAlive: true, keepAliveMsecs: 1000, maxSockets: 64 });

/**
 * Makes one HTTP call; answers of any status are answers.
 *
 * A kept-alive connection that the server closed just as the call was sent is replaced once: that says nothing about
 * the service.
 * @throws {HttpTimeoutError} and the errors of the socket
 */
export async function httpCall(call: HttpCall): Promise<HttpAnswer> {
  const deadlineMs = performance.now() + call.timeoutMs;
  try {
    return await attempt(call, call.timeoutMs);
  } catch (error) {
    const leftMs = deadlineMs - performance.now();
    if (!(error as { staleConnection?: boolean }).staleConnection || leftMs <= 0) throw error;
    return attempt(call, leftMs);
  }
}

function attempt(call: HttpCall, timeoutMs: number): Promise<HttpAnswer> {
  const { host, port, lookup, method, path, headers = {}, body, connectMs } = call;
  const what = `${method} ${path}`;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host,
      port,
      ...(lookup ? { lookup } : {}),
      method,
      path,
      agent,
      headers: body ? { ...headers, 'content-length': String(body.length) } : headers,
    });
    // A request that still waits for a connection of the pool tells of its end only once it has one.
    const giveUp = (late: HttpTimeoutError) => {
      outgoing.destroy(late);
      reject(late);
    };
    const deadline = setTimeout(() => giveUp(new HttpTimeoutError(what, Math.round(timeoutMs))), timeoutMs);
    let connecting: NodeJS.Timeout | undefined;
    const settle = () => {
      clearTimeout(deadline);
      clearTimeout(connecting);
    };
    outgoing.on('socket', (socket) => {
      if (!socket.connecting) return;
      const limitMs = Math.min(connectMs, timeoutMs);
      connecting = setTimeout(
        () => outgoing.destroy(new HttpTimeoutError(`${what}: connecting`, limitMs)),
        limitMs,
      );
      socket.once('connect', () => clearTimeout(connecting));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      settle();
      const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(stale ? Object.assign(error, { staleConnection: true }) : error);
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_BODY_BYTES) outgoing.destroy(new Error(`${what}: answer too large`));
      });
      incoming.on('error', (error) => {
        settle();
        reject(error);
      });
      incoming.on('end', () => {
        settle();
        const fault = incoming.headers[FAULT_HEADER];
        const seconds = Number(incoming.headers['retry-after']);
        resolve({
          status: incoming.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('utf8'),
          faultId: typeof fault === 'string' ? fault : undefined,
          retryAfterMs:
            incoming.headers['retry-after'] && Number.isFinite(seconds) ? seconds * 1000 : undefined,
        });
      });
    });
    outgoing.end(body);
  });
}

/** Ends the connections that are kept open. */
export function closeHttpConnections(): void {
  agent.destroy();
}
