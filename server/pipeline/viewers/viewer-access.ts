import { timingSafeEqual } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { ViewerProblem } from './viewer-problem.ts';

export interface ViewerAccessOptions {
  /** The address that is listened on. */
  host: string;
  /** Known only after listening, when it was 0. */
  port: () => number;
  /** Pages of the console may read. */
  consolePort: number;
  /** Needed by everybody when set: as bearer, or as the cookie that the console's /login sets. */
  token: string | undefined;
}

/** What a request says of itself; names of headers in lower case. */
export type HeaderOf = (name: 'host' | 'origin' | 'authorization' | 'cookie') => string | undefined;

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const WILDCARDS = ['0.0.0.0', '::'];

/** Set by the console's /login. Cookies know no ports, so it comes here too. */
const TOKEN_COOKIE = /(?:^|;\s*)brownout_token=([^;]*)/;

/** Who may use the viewers' API: no web page but the console's, nobody by another name of ours, nobody without token. */
export class ViewerAccess {
  readonly #options: ViewerAccessOptions;

  constructor(options: ViewerAccessOptions) {
    this.#options = options;
  }

  /** @throws {ViewerProblem} FORBIDDEN_ORIGIN, UNAUTHORIZED */
  check(header: HeaderOf, method: string): void {
    const { token } = this.#options;
    const host = header('host') ?? '';
    const origin = header('origin');
    // Without a token a name that somebody pointed at this machine (DNS rebinding) would make their page one of ours.
    if (token === undefined && !this.#isOwnName(nameOf(`http://${host}`))) {
      throw new ViewerProblem('FORBIDDEN_ORIGIN', `Host ${host.slice(0, 100)} is not this server`, {
        field: 'Host',
        value: host.slice(0, 100),
        allowed: `localhost or ${this.#options.host}`,
      });
    }
    if (
      method !== 'GET' &&
      method !== 'HEAD' &&
      origin !== undefined &&
      !this.isAllowedOrigin(origin, host)
    ) {
      throw new ViewerProblem('FORBIDDEN_ORIGIN', 'Another web page may not write here', {
        field: 'Origin',
        value: origin.slice(0, 100),
        allowed: `http://localhost:${this.#options.consolePort}`,
      });
    }
    if (token !== undefined && !this.#carries(header, token)) {
      throw new ViewerProblem(
        'UNAUTHORIZED',
        'Send BROWNOUT_TOKEN as a bearer token, or sign in at /login of the console',
      );
    }
  }

  /** Whether a page of this origin is the console's, or came from here. */
  isAllowedOrigin(origin: string, host: string): boolean {
    if (!URL.canParse(origin)) return false;
    const { protocol, port } = new URL(origin);
    const { consolePort, port: ownPort } = this.#options;
    if (!/^https?:$/.test(protocol)) return false;
    if (port !== String(consolePort) && port !== String(ownPort())) return false;
    const name = nameOf(origin);
    return this.#isOwnName(name) || (this.#options.token !== undefined && name === nameOf(`http://${host}`));
  }

  #carries(header: HeaderOf, token: string): boolean {
    const bearer = /^Bearer (.+)$/i.exec(header('authorization') ?? '')?.[1];
    const cookie = TOKEN_COOKIE.exec(header('cookie') ?? '')?.[1];
    return [bearer, cookie === undefined ? undefined : decode(cookie)].some(
      (text) => text !== undefined && isSame(text, token),
    );
  }

  #isOwnName(name: string | undefined): boolean {
    if (name === undefined) return false;
    const { host } = this.#options;
    if (LOOPBACK_NAMES.includes(name) || name === host) return true;
    if (!WILDCARDS.includes(host)) return false;
    return (
      name === hostname() ||
      Object.values(networkInterfaces()).some((addresses) =>
        addresses?.some(({ address }) => address === name),
      )
    );
  }
}

function nameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Compares without telling by its duration how much was right. */
function isSame(text: string, token: string): boolean {
  const [left, right] = [Buffer.from(text), Buffer.from(token)];
  return left.length === right.length && timingSafeEqual(left, right);
}
