import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';
import { Refusal } from './problem.ts';

export const TOKEN_COOKIE = 'brownout_token';

export interface AccessOptions {
  /** The address that is listened on. */
  host: string;
  /** Known only after listening, when it was 0. */
  port: () => number;
  /** Needed by everybody but agents when set. */
  token: string | undefined;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];
const WILDCARDS = ['0.0.0.0', '::'];

/**
 * Who may talk to the control process.
 *
 * The Host check stops a name that was pointed at us (DNS rebinding), the Origin check stops every other web page.
 */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** @throws {Refusal} FORBIDDEN_ORIGIN when the request was not addressed to us by one of our names */
  checkHost(headers: IncomingHttpHeaders): void {
    const host = headers.host ?? '';
    const url = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
    const port = Number(url?.port || 80);
    if (url && port === this.#options.port() && this.#isOurName(url.hostname.replace(/^\[|\]$/g, ''))) return;
    throw new Refusal('FORBIDDEN_ORIGIN', `Host ${host.slice(0, 100)} is not this server`, {
      field: 'Host',
      value: host.slice(0, 100),
      allowed: `localhost or ${this.#options.host}, port ${this.#options.port()}`,
    });
  }

  /** @throws {Refusal} FORBIDDEN_ORIGIN when a page of another origin sent it */
  checkOrigin(headers: IncomingHttpHeaders): void {
    const { origin } = headers;
    const site = headers['sec-fetch-site'];
    if (origin === undefined && (site === undefined || site === 'same-origin' || site === 'none')) return;
    if (origin !== undefined && isSameOrigin(origin, headers.host ?? '')) return;
    throw new Refusal('FORBIDDEN_ORIGIN', 'Another web page may not do this', {
      field: 'Origin',
      value: (origin ?? String(site)).slice(0, 100),
      allowed: `http://${headers.host ?? ''}`,
    });
  }

  get needsToken(): boolean {
    return this.#options.token !== undefined;
  }

  /** @throws {Refusal} UNAUTHORIZED when a token is needed and neither bearer nor cookie carries it */
  checkToken(headers: IncomingHttpHeaders, offered?: string): void {
    if (!this.needsToken) return;
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (
      [offered, bearer, readCookie(headers.cookie)].some((each) => each !== undefined && this.isToken(each))
    )
      return;
    throw new Refusal('UNAUTHORIZED', 'Send BROWNOUT_TOKEN as a bearer token, or sign in at /login');
  }

  isToken(text: string): boolean {
    const { token } = this.#options;
    return token !== undefined && sameText(text, token);
  }

  #isOurName(name: string): boolean {
    const { host } = this.#options;
    if (LOOPBACK_NAMES.includes(name) || name === host) return true;
    if (!WILDCARDS.includes(host)) return false;
    if (name === hostname()) return true;
    return Object.values(networkInterfaces()).some((addresses) =>
      addresses?.some((each) => each.address === name),
    );
  }
}

/** Compares without telling by its duration how much was right. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

export function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

function isSameOrigin(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.host === host.toLowerCase();
}

function readCookie(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, ...rest] = pair.trim().split('=');
    if (name !== TOKEN_COOKIE) continue;
    try {
      return decodeURIComponent(rest.join('='));
    } catch {
      return undefined;
    }
  }
  return undefined;
}
