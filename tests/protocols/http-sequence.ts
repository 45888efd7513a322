import type { Random } from '#lib/chaos/random.ts';

/** Headers that differ between two runs by their nature. */
export const MASKED = ['date'] as const;

export interface HttpPart {
  readonly bytes: Buffer;
  /** Text that must have come before the next part is sent. */
  readonly awaits?: string;
  /** Not to be sent in pieces: the server may hang up at the first of them. */
  readonly whole?: true;
}

/** Requests on one connection, in the parts in which they are sent. */
export interface HttpSequence {
  readonly parts: readonly HttpPart[];
  readonly requests: number;
  /**
   * How the connection goes on: it is kept, the server closes it after the last answer, or it has become something
   * else and the client closes it.
   */
  readonly end: 'kept' | 'server_closes' | 'client_closes';
  /** The client sends FIN after its last byte. */
  readonly halfCloses: boolean;
  /** Text that ends the last answer where the connection is not closed by the server. */
  readonly last: string;
}

const METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;

/** Draws one random sequence after another. */
export class HttpSequences {
  readonly #random: Random;
  #parts: HttpPart[] = [];
  #pending: Buffer[] = [];
  #requests = 0;
  #drawn = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): HttpSequence {
    this.#parts = [];
    this.#pending = [];
    this.#requests = 0;
    this.#drawn++;
    const wanted = Math.floor(this.#random() ** 5 * 12); // besides the last
    while (this.#requests < wanted) {
      this.#request();
      // Not pipelined: the marker is the last thing that is answered.
      if (this.#random() < 0.15) this.#await(this.#marker());
    }
    const chance = this.#random();
    let end: HttpSequence['end'] = 'kept';
    let last = '';
    if (chance < 0.02) {
      end = 'client_closes';
      last = this.#upgraded();
    } else if (chance < 0.14) {
      end = 'server_closes';
      this.#closing();
    } else {
      last = this.#marker();
    }
    this.#flush();
    const halfCloses = end === 'server_closes' && this.#random() < 0.3;
    return { parts: this.#parts, requests: this.#requests, end, halfCloses, last };
  }

  #request(): void {
    const chance = this.#random();
    if (chance < 0.06) this.#continued();
    else if (chance < 0.1) this.#multipart();
    else if (chance < 0.13) this.#refusedUpgrade();
    else this.#plain();
  }

  #plain(): void {
    const method = this.#pick(METHODS);
    const headers = this.#headers();
    const withBody = method === 'POST' || method === 'PUT' || method === 'PATCH' || this.#random() < 0.05;
    const target = this.#target(withBody);
    if (!withBody) this.#add(`${method} ${target} HTTP/1.1\r\n${headers}\r\n`);
    else this.#withBody(`${method} ${target} HTTP/1.1\r\n${headers}`, this.#body());
  }

  #target(withBody: boolean): string {
    const query = new URLSearchParams();
    if (this.#random() < 0.3) query.set('status', String(this.#pick([201, 204, 304, 400, 404, 500])));
    if (this.#random() < 0.3) query.set('size', String(this.#below(this.#random() < 0.02 ? 300_000 : 3000)));
    if (this.#random() < 0.4) query.set('framing', 'chunked');
    if (query.has('framing') && this.#random() < 0.5) query.set('trailers', '');
    if (this.#random() < 0.1) query.set('interim', this.#pick(['102', '103']));
    if (withBody && this.#random() < 0.12) query.set('early', '');
    const path = `${this.#pick(['/told', '/', '/health', '/a/b%20c;d'])}?${query}`;
    return this.#random() < 0.05 ? `http://told${path}` : path;
  }

  #headers(): string {
    const host = this.#pick(['Host: told\r\n', 'host:told\r\n', 'HOST:   told  \r\n']);
    const chance = this.#random();
    const id = chance < 0.5 ? `X-Request: ${this.#below(1e9)}\r\n` : '';
    if (chance < 0.1) return `${host}${id}X-Long: ${'h'.repeat(this.#below(4000))}\r\nX-Empty:\r\n`;
    if (chance < 0.2) return `${host}${id}Cookie: a=b; c="d"\r\nAccept: */*\r\nAccept: text/html\r\n`;
    if (chance < 0.3) return `${host}${id}Connection: keep-alive\r\n`;
    return host + id;
  }

  #body(): Buffer {
    const chance = this.#random();
    if (chance < 0.1) return Buffer.alloc(0);
    if (chance < 0.2) return Buffer.from('GET /inside HTTP/1.1\r\nHost: told\r\n\r\n0\r\n\r\n');
    const length = this.#below(chance > 0.99 ? 200_000 : 600);
    return length === 0
      ? Buffer.alloc(0)
      : Buffer.alloc(length, Buffer.from(Array.from({ length: 64 }, () => this.#below(256))));
  }

  #withBody(head: string, body: Buffer): void {
    if (this.#random() < 0.5) {
      this.#add(Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]));
      return;
    }
    this.#add(Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`), this.#chunked(body)]));
  }

  #chunked(body: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < body.length; ) {
      const length = Math.min(body.length - at, 1 + this.#below(body.length > 5000 ? 40_000 : 200));
      const digits = length.toString(16);
      const size = this.#pick([digits, digits.toUpperCase(), `0${digits}`, `${digits};name="value"`]);
      parts.push(Buffer.from(`${size}\r\n`), body.subarray(at, at + length), Buffer.from('\r\n'));
      at += length;
    }
    const trailers = this.#random() < 0.3 ? `X-Trailer: ${'t'.repeat(this.#below(200))}\r\nX-Sum: 1\r\n` : '';
    parts.push(Buffer.from(`0\r\n${trailers}\r\n`));
    return Buffer.concat(parts);
  }

  #multipart(): void {
    const lines = [
      '--boundary',
      'Content-Disposition: form-data; name="image"; filename="a.jpg"',
      'Content-Type: image/jpeg',
      '',
      this.#body().toString('latin1'),
      '--boundary--',
      '',
    ];
    this.#withBody(
      `POST ${this.#target(true)} HTTP/1.1\r\n${this.#headers()}Content-Type: multipart/form-data; boundary=boundary\r\n`,
      Buffer.from(lines.join('\r\n'), 'latin1'),
    );
  }

  /** Asks whether to go on; the body waits for the answer or does not. */
  #continued(): void {
    const body = this.#body();
    this.#add(
      `POST /told HTTP/1.1\r\nHost: told\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    if (this.#random() < 0.7) this.#await('100 Continue\r\n\r\n');
    this.#pending.push(body);
  }

  /** Node's server loses what comes in one piece with it, so the answer is awaited. */
  #refusedUpgrade(): void {
    this.#await(this.#marker('Connection: Upgrade\r\nUpgrade: echo\r\n'));
  }

  /** Node's server upgrades at once, before it answers earlier requests, so it comes alone. */
  #upgraded(): string {
    this.#await(this.#marker());
    const token = `echoed-${this.#drawn}`;
    this.#add('GET /upgrade HTTP/1.1\r\nHost: told\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    if (this.#random() < 0.5) this.#await('upgrade: echo\r\n\r\n');
    this.#pending.push(Buffer.from(`\r\nGET / HTTP/1.1\r\n\r\n${token}`));
    return token;
  }

  /** A last request after whose answer the server closes. */
  #closing(): void {
    const kind = this.#below(6);
    if (kind === 0) this.#add('GET /told HTTP/1.0\r\n\r\n');
    else if (kind === 1) this.#add('GET /told HTTP/1.1\r\nHost: told\r\nConnection: close\r\n\r\n');
    else if (kind === 2) this.#add('GET /told?framing=close&size=5000 HTTP/1.1\r\nHost: told\r\n\r\n');
    else if (kind === 3) this.#mistake('GET /told HTTP/1.1\r\nHost: told\r\nno header\r\n\r\n');
    else if (kind === 4) this.#mistake('NONSENSE\r\n\r\n');
    else {
      this.#add('POST /refused HTTP/1.1\r\nHost: told\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    }
  }

  /** No HTTP. Node's server answers it at once, before requests that are being answered, so it comes alone. */
  #mistake(text: string): void {
    this.#await(this.#marker());
    this.#requests++;
    this.#parts.push({ bytes: Buffer.from(text), whole: true });
  }

  /** A request whose answer is the last text to come. */
  #marker(headers = ''): string {
    const marker = `marker-${this.#drawn}-${this.#requests}`;
    if (this.#random() < 0.1) this.#pending.push(Buffer.from('\r\n'));
    this.#add(`GET /${marker} HTTP/1.1\r\nHost: told\r\n${headers}\r\n`);
    return `/${marker}","body":"0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","trailers":{}}`;
  }

  #await(text: string): void {
    this.#flush(text);
  }

  #flush(awaits?: string): void {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    if (bytes.length > 0 || awaits) this.#parts.push(awaits ? { bytes, awaits } : { bytes });
  }

  #add(request: string | Buffer): void {
    this.#requests++;
    this.#pending.push(typeof request === 'string' ? Buffer.from(request, 'latin1') : request);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}
