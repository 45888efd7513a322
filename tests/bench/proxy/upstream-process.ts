import { type AddressInfo, createServer, type Socket } from 'node:net';
import { answerCalls } from '../measure-child.ts';
import { ANSWERS, type BenchProtocol } from './wire.ts';

/** Stand-in servers that answer what the load generator sends, at the least cost; Redis is the real one. */
async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Heads come whole; a body may come in pieces. */
function serveHttp(socket: Socket): void {
  let bodyBytes = 0;
  let answer: Buffer = ANSWERS.httpSmall;
  socket.on('data', (chunk) => {
    let at = 0;
    if (bodyBytes === 0) {
      const end = chunk.indexOf('\r\n\r\n');
      const head = chunk.toString('latin1', 0, end);
      bodyBytes = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
      answer = head.startsWith('GET /bulk') ? ANSWERS.httpBulk : ANSWERS.httpSmall;
      at = end + 4;
    }
    bodyBytes -= chunk.length - at;
    if (bodyBytes === 0) socket.write(answer);
  });
}

function servePostgres(socket: Socket): void {
  let opened = false;
  socket.on('data', () => {
    socket.write(opened ? ANSWERS.postgresSmall : ANSWERS.postgresOpen);
    opened = true;
  });
}

function serveFtp(socket: Socket): void {
  socket.write(ANSWERS.ftpGreeting);
  socket.on('data', () => socket.write(ANSWERS.ftpSmall));
}

const handlers = {
  async open(): Promise<Record<Exclude<BenchProtocol, 'redis'>, number>> {
    return {
      http: await listen(serveHttp),
      postgres: await listen(servePostgres),
      ftp: await listen(serveFtp),
    };
  },
};
export type UpstreamCalls = typeof handlers;

answerCalls(handlers);
