/** How the end of a message's body is found. */
export type BodyLength =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until_close' };

/** Start line and headers of one HTTP/1.x message. */
export interface HttpHead {
  /** Request: method, target, version. Response: version, status, reason. */
  readonly start: readonly [string, string, string];
  readonly headers: readonly (readonly [name: string, value: string])[];
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

export function headerOf(head: HttpHead, name: string): string | undefined {
  return head.headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

export function requestBody(head: HttpHead): BodyLength | undefined {
  return framed(head) ?? { kind: 'none' };
}

/** @throws never; a contradictory head gives `until_close` */
export function responseBody(head: HttpHead, method: string): BodyLength {
  const status = Number(head.start[1]);
  if (method === 'HEAD' || status === 204 || status === 304 || (status >= 100 && status < 200)) {
    return { kind: 'none' };
  }
  return framed(head) ?? { kind: 'until_close' };
}

function framed(head: HttpHead): BodyLength | undefined {
  if (/\bchunked\b/i.test(headerOf(head, 'transfer-encoding') ?? '')) return { kind: 'chunked' };
  const length = headerOf(head, 'content-length');
  if (length === undefined || !/^\d+$/.test(length)) return undefined;
  return { kind: 'length', bytes: Number(length) };
}

/** The head as bytes, with its headers replaced. */
export function renderHead(head: HttpHead, headers: readonly (readonly [string, string])[]): Buffer {
  const lines = [head.start.join(' ').trimEnd(), ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
