import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import type { Random } from '#lib/chaos/random.ts';
import { RawClient } from '#tests/support/raw-client.ts';

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A request that was sent, and the answer it got, if it got one. */
export interface Request {
  readonly id: string;
  readonly method: string;
  answer?: Answer;
}

/** A client that sends pipelined requests over a connection that it keeps as long as it can. */
export class Requests {
  readonly sent: Request[] = [];
  /** Connections that were opened. */
  opened = 0;
  readonly #port: number;
  readonly #random: Random;
  readonly #name: string;
  readonly #patienceMs: number;
  #client: RawClient | undefined;

  /** `patienceMs`: how long a sequence waits for its answers before its client gives up. */
  constructor(port: number, random: Random, name: string, patienceMs: number) {
    this.#port = port;
    this.#random = random;
    this.#name = name;
    this.#patienceMs = patienceMs;
  }

  async sequence(): Promise<void> {
    const requests: Request[] = [];
    const parts: Buffer[] = [];
    for (let left = 1 + Math.floor(this.#random() * 5); left > 0; left--) {
      const method = this.#pick(['GET', 'POST', 'POST', 'PUT', 'HEAD']);
      const request: Request = { id: `${this.#name}-${this.sent.length}`, method };
      requests.push(request);
      this.sent.push(request);
      parts.push(this.#bytes(request));
    }
    const client = this.#connected();
    await client.sendInPieces(Buffer.concat(parts), this.#random);
    const answers = await answersFrom(client, requests, this.#patienceMs);
    for (const [index, answer] of answers.entries()) {
      const request = requests[index];
      if (request) request.answer = answer;
    }
    if (answers.length < requests.length) this.close(); // it would answer the next sequence
  }

  /** Sends one more request on the connection that is open, or on a new one; gives what its answer names. */
  async marker(): Promise<string> {
    const request: Request = { id: `marker-${this.#random()}`, method: 'GET' };
    const client = this.#connected();
    client.send(Buffer.from(`GET /told HTTP/1.1\r\nhost: told\r\nx-request: ${request.id}\r\n\r\n`));
    const [answer] = await answersFrom(client, [request], 10_000);
    // It was cut before the fault ended, which the client had not seen yet.
    if (!answer && client.isOver && client.pending === '') return this.marker();
    await client.changed(1);
    const alone = client.take() === '';
    return answer?.headers.get('x-request') === request.id && alone
      ? 'its own answer'
      : JSON.stringify(answer);
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #connected(): RawClient {
    if (this.#client && !this.#client.isOver) return this.#client;
    this.opened++;
    this.#client = new RawClient(this.#port);
    return this.#client;
  }

  #bytes({ id, method }: Request): Buffer {
    const path = this.#pick(['/completion', '/detect/batch', '/detect', '/told?size=3000']);
    const query = this.#random() < 0.4 ? `${path.includes('?') ? '&' : '?'}framing=chunked` : '';
    const head = `${method} ${path}${query} HTTP/1.1\r\nhost: told\r\nx-request: ${id}\r\n`;
    if (method === 'GET' || method === 'HEAD') return Buffer.from(`${head}\r\n`);
    const body = 'b'.repeat(Math.floor(this.#random() * 300));
    if (this.#random() < 0.5) return Buffer.from(`${head}content-length: ${body.length}\r\n\r\n${body}`);
    const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
    return Buffer.from(`${head}transfer-encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

/** Waits for the answers to these requests; gives those that have come, and takes them from the client when all have. */
async function answersFrom(
  client: RawClient,
  requests: readonly Request[],
  patienceMs: number,
): Promise<Answer[]> {
  const until = performance.now() + patienceMs;
  let answers = readAnswers(client.pending, requests);
  while (answers.length < requests.length && !client.isOver && performance.now() < until) {
    await client.changed(until - performance.now());
    answers = readAnswers(client.pending, requests);
  }
  if (answers.length === requests.length) client.take();
  return answers;
}

/**
 * The whole answers in a stream.
 * @throws {Error} for what is no answer, and for bytes after the last one
 */
function readAnswers(stream: string, requests: readonly Request[]): Answer[] {
  const answers: Answer[] = [];
  let rest = stream;
  for (const { method } of requests) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return answers;
    const [start = '', ...lines] = rest.slice(0, end).split('\r\n');
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(start) ?? [];
    if (!status) throw new Error(`No answer: ${rest.slice(0, 200)}`);
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const body = method === 'HEAD' ? { text: '', length: 0 } : readBody(rest.slice(end + 4), headers);
    if (!body) return answers;
    answers.push({ status: Number(status), headers, body: body.text });
    rest = rest.slice(end + 4 + body.length);
  }
  if (rest.length > 0) throw new Error(`More than the answers: ${rest.slice(0, 200)}`);
  return answers;
}

function readBody(
  rest: string,
  headers: ReadonlyMap<string, string>,
): { text: string; length: number } | undefined {
  const length = headers.get('content-length');
  if (length !== undefined) {
    return rest.length < Number(length)
      ? undefined
      : { text: rest.slice(0, Number(length)), length: Number(length) };
  }
  let text = '';
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(rest.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (rest.length < end) return undefined;
    if (size === 0) return { text, length: end };
    text += rest.slice(lineEnd + 2, end - 2);
    at = end;
  }
}

/**
 * What disagrees between the answers and what the server has served. `spoils`: an answer with the fault's mark is
 * the server's own, spoilt; otherwise the fault answered and the server has never seen the request.
 */
export function disagreements(
  requests: readonly Request[],
  served: ReadonlyMap<string, number>,
  spoils: boolean,
): string[] {
  const found: string[] = [];
  for (const { id, method, answer } of requests) {
    const times = served.get(id) ?? 0;
    const told = `${method} ${id}: ${answer?.status ?? 'no answer'}, served ${times} times`;
    if (!answer) {
      if (times > 1) found.push(told);
    } else if (answer.headers.has(FAULT_HEADER) && !spoils) {
      if (times !== 0 || answer.status < 429) found.push(told);
    } else {
      if (times !== 1) found.push(told);
      if (answer.headers.get('x-request') !== id)
        found.push(`${told}, answered as ${answer.headers.get('x-request')}`);
    }
  }
  return found;
}
