/** How the end of a message's body is found. */
export type BodyLength =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until_close' };

export const NO_BODY: BodyLength = { kind: 'none' };
export const CHUNKED: BodyLength = { kind: 'chunked' };
const UNTIL_CLOSE: BodyLength = { kind: 'until_close' };

/** Start line and headers of one HTTP/1.x message. */
export interface HttpHead {
  /** Request: method, target, version. Response: version, status, reason. */
  readonly start: readonly [string, string, string];
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What passing a message on takes of its head. */
export interface HeadFacts {
  /** Offset of the first byte after the head. */
  readonly end: number;
  /** Of an answer; NaN of a request. */
  readonly status: number;
  /** A request for a head alone. */
  readonly isHead: boolean;
  readonly isConnect: boolean;
  /** What the headers say of the body; undefined when they say nothing. */
  readonly framed: BodyLength | undefined;
  /** The client wants the connection to end with this exchange. */
  readonly last: boolean;
  /** The client waits for "100 Continue". */
  readonly expects: boolean;
}

/** @returns undefined when this is not an HTTP/1.x head */
export function parseHead(text: string): HttpHead | undefined {
  const lines = text.split('\r\n');
  const start = /^(\S+) (\S+)(?: (.*))?$/.exec(lines[0] ?? '');
  if (!start) return undefined;
  const [, first = '', second = '', third = ''] = start;
  if (!first.startsWith('HTTP/1.') && !third.startsWith('HTTP/1.')) return undefined;
  const headers: [string, string][] = [];
  for (const line of lines.slice(1)) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0) return undefined;
    headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return { start: [first, second, third], headers };
}

function headerOf(head: HttpHead, name: string): string | undefined {
  return head.headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

/** What a parsed head that ends at `end` says. */
export function factsOf(head: HttpHead, end: number): HeadFacts {
  const [first, second, third] = head.start;
  return {
    end,
    status: first.startsWith('HTTP/1.') ? Number(second) : Number.NaN,
    isHead: first === 'HEAD',
    isConnect: first === 'CONNECT',
    framed: framed(head),
    last: /\bclose\b/i.test(headerOf(head, 'connection') ?? '') || third === 'HTTP/1.0',
    expects: headerOf(head, 'expect') !== undefined,
  };
}

function framed(head: HttpHead): BodyLength | undefined {
  if (/\bchunked\b/i.test(headerOf(head, 'transfer-encoding') ?? '')) return CHUNKED;
  const length = headerOf(head, 'content-length');
  if (length === undefined || !/^\d+$/.test(length)) return undefined;
  return { kind: 'length', bytes: Number(length) };
}

export function requestBody({ framed }: HeadFacts): BodyLength {
  return framed ?? NO_BODY;
}

/** `toHead`: of the answer to a HEAD request. A contradictory head gives `until_close`. */
export function responseBody({ framed, status }: HeadFacts, toHead: boolean): BodyLength {
  if (toHead || status === 204 || status === 304 || (status >= 100 && status < 200)) return NO_BODY;
  return framed ?? UNTIL_CLOSE;
}

/** The head as bytes, with its headers replaced. */
export function renderHead(head: HttpHead, headers: readonly (readonly [string, string])[]): Buffer {
  const lines = [head.start.join(' ').trimEnd(), ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
