import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Server } from 'socket.io';
import { systemClock } from '#lib/chaos/clock.ts';
import type { ViewerClientEvents, ViewerServerEvents } from '#lib/protocol/viewers.ts';
import { ConfigError } from '../../config.ts';
import type { ViewerApi, ViewerApiOptions } from './contracts.ts';
import { EventReader } from './event-reader.ts';
import { ViewerAccess } from './viewer-access.ts';
import { createViewerRoutes } from './viewer-routes.ts';

/** A request that takes longer to arrive, and a viewer that answers no ping for this long, are dropped, ms. */
const REQUEST_LIMIT_MS = 15_000;
const PING_MS = 5000;
/** Longest message of a viewer, bytes. */
const MAX_VIEWER_MESSAGE_BYTES = 16 * 1024;
/** Time that open requests have at the end, ms. */
const CLOSE_GRACE_MS = 300;

/**
 * Listens for viewers: HTTP and Socket.IO on one port.
 *
 * @throws {ConfigError} naming BACKEND_PORT when the port cannot be had
 */
export async function createViewerApi(options: ViewerApiOptions): Promise<ViewerApi> {
  const { http, broadcaster, clock = systemClock, logger } = options;
  let hasSchema = false;
  const reader = new EventReader({
    ...options,
    hasSchema: () => hasSchema,
    clock,
    recent: broadcaster.recent,
    onTimeout: (retryAfterMs) => broadcaster.timedOut('database', retryAfterMs),
  });
  let ownPort = http.port;
  const access = new ViewerAccess({
    host: http.host,
    port: () => ownPort,
    consolePort: options.consolePort,
    token: options.token,
  });
  const app = createViewerRoutes({ ...options, clock, reader, access });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    { requestTimeout: REQUEST_LIMIT_MS, headersTimeout: REQUEST_LIMIT_MS },
    (request, response) => {
      void listener(request, response);
    },
  );
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const io = new Server<ViewerClientEvents, ViewerServerEvents>(server, {
    transports: ['websocket'],
    perMessageDeflate: false,
    serveClient: false,
    maxHttpBufferSize: MAX_VIEWER_MESSAGE_BYTES,
    pingInterval: PING_MS,
    pingTimeout: PING_MS,
    allowRequest: ({ headers }, decide) => {
      try {
        access.check((name) => headers[name], 'POST'); // a socket reads what CORS cannot guard: as strict as a write
        decide(null, true);
      } catch (error) {
        decide(error instanceof Error ? error.message : 'forbidden', false);
      }
    },
  });
  broadcaster.attach(io);

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(http.port, http.host, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch(async (error: NodeJS.ErrnoException) => {
    reader.close();
    await io.close().catch(() => {}); // never listened
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    const reason = error.code === 'EACCES' ? 'may not be used' : 'is taken by another program';
    throw new ConfigError('BACKEND_PORT', `BACKEND_PORT=${http.port} ${reason}: choose another`, {
      cause: error,
    });
  });
  server.on('error', (error) => logger.error({ err: error }, 'viewer API'));
  ownPort = (server.address() as AddressInfo).port;
  logger.info({ host: http.host, port: ownPort }, 'viewer API listens');

  // So that there is something to serve stale should the database go before the first viewer comes.
  options.schema
    .then(() => {
      hasSchema = true;
      return reader.page(undefined, 100);
    })
    .catch((error: unknown) => logger.info({ err: error }, 'no events read at start'));

  return {
    port: ownPort,
    readStats: () => reader.stats(),
    async close() {
      reader.close();
      io.emit('notice', { type: 'shutdown' });
      const closed = io.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, CLOSE_GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
