import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ToldServer {
  readonly host: string;
  readonly port: number;
  /** Requests that have come, by their `x-request` header. */
  readonly served: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/**
 * A real HTTP server that answers as the request tells it to. The answer describes what has come: method, target,
 * the hash of the body, trailers; it carries the request's `x-request` header.
 *
 * The query tells: `status` (200), `size` (bytes of filler behind the description), `framing` (length, chunked or
 * close), `trailers`, `interim` (102 or 103, before the answer), `early` (answer before the body has been read).
 * `/upgrade` becomes an echo of bytes; `/refused` refuses "Expect: 100-continue".
 */
export async function startToldServer(): Promise<ToldServer> {
  const served = new Map<string, number>();
  const count = (request: IncomingMessage) => {
    const id = String(request.headers['x-request'] ?? '');
    served.set(id, (served.get(id) ?? 0) + 1);
  };
  const server = createServer(
    { keepAliveTimeout: 60_000, shouldUpgradeCallback: (request) => request.url === '/upgrade' },
    (request, response) => {
      count(request);
      tell(request, response);
    },
  );
  // Otherwise an answer that is not ready when the client closes its side is lost, now and then.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    count(request);
    if (request.url?.startsWith('/refused')) {
      response.writeHead(417, { connection: 'close' }).end('no');
      return;
    }
    response.writeContinue();
    tell(request, response);
  });
  server.on('upgrade', (_request, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    if (head.length > 0) socket.write(head);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    served,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function tell(request: IncomingMessage, response: ServerResponse): void {
  const query = new URL(request.url ?? '/', 'http://told').searchParams;
  const early = query.has('early');
  const hash = createHash('sha256');
  let bytes = 0;
  if (early) answer(request, response, query, 'not read');
  request.on('data', (part: Buffer) => {
    bytes += part.length;
    hash.update(part);
  });
  request.on('end', () => {
    if (!early) answer(request, response, query, `${bytes} ${hash.digest('hex')}`);
  });
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  body: string,
): void {
  const interim = query.get('interim');
  if (interim === '102') response.writeProcessing();
  if (interim === '103') response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  const { method, url, trailers } = request;
  const results = url?.startsWith('/detect/batch') ? [{ index: 0 }, { index: 1 }, { index: 2 }] : undefined;
  const description = JSON.stringify({ method, url, body, trailers, results });
  const content = description + '.'.repeat(Number(query.get('size') ?? 0));
  const framing = query.get('framing') ?? 'length';
  response.statusCode = Number(query.get('status') ?? 200);
  const bodiless = method === 'HEAD' || response.statusCode === 204 || response.statusCode === 304;
  response.setHeader('content-type', 'application/json');
  const id = request.headers['x-request'];
  if (id !== undefined) response.setHeader('x-request', id);
  if (framing === 'length') {
    response.setHeader('content-length', content.length);
  } else if (framing === 'close') {
    response.setHeader('connection', 'close');
    response.useChunkedEncodingByDefault = false;
  } else if (query.has('trailers') && !bodiless) {
    response.setHeader('trailer', 'x-sum');
    response.addTrailers({ 'x-sum': String(content.length) });
  }
  if (bodiless) {
    response.end();
    return;
  }
  if (framing !== 'chunked') {
    response.end(content);
    return;
  }
  response.write(content.slice(0, 20));
  response.end(content.slice(20));
}
