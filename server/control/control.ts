import { createServer, type Server as HttpServer } from 'node:http';
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { Server } from 'socket.io';
import { ulid } from 'ulid';
import type { State } from '../../lib/protocol/state.ts';
import { ConfigError, type Settings } from '../config.ts';
import type { Logger } from '../logging.ts';
import { Access } from './access.ts';
import { AgentGateway } from './agent-gateway.ts';
import { ConsoleGateway, type ConsoleGatewayOptions } from './console-gateway.ts';
import { FactLog } from './fact-log.ts';
import { FaultDesk, type FaultDeskOptions } from './fault-desk.ts';
import { FaultSeeds } from './fault-seeds.ts';
import { createHttpFront } from './http-front.ts';
import { Hub, SLOT_MS } from './hub.ts';
import { Leases, type LeasesOptions } from './leases.ts';
import { LiveGateway } from './live-gateway.ts';
import { LoopLag } from './loop-lag.ts';
import { Metrics } from './metrics.ts';
import { createNextPages, type Pages } from './next-pages.ts';
import { toProblem } from './problem.ts';
import { Recorder } from './recorder.ts';
import { remainingOf } from './remaining.ts';
import { createRestApp } from './rest/app.ts';
import { readState } from './state.ts';

type Waits = Pick<LeasesOptions, 'askEveryMs' | 'warnAfterMs' | 'lostAfterMs'> &
  Pick<FaultDeskOptions, 'expiryGraceMs' | 'injectorLostMs' | 'recentMs'> &
  Pick<ConsoleGatewayOptions, 'leaseAnswerMs' | 'maxBufferedBytes' | 'maxBufferedPackets'> & {
    ackTimeoutMs?: number;
    commandTimeoutMs?: number;
  };

export interface ControlOptions {
  settings: Pick<
    Settings,
    'HOST' | 'PORT' | 'BACKEND_PORT' | 'DATA_DIR' | 'BROWNOUT_TOKEN' | 'FAULT_SERVICES_MAX' | 'FAULT_SEED'
  >;
  /** What admits agents. */
  agentSecret: string;
  logger: Logger;
  /** The console's pages; false serves the API alone. */
  next: false | { dir: string; dev: boolean };
  /** Shorter waits for tests; each has its default where it is used. @default {} */
  waits?: Waits;
}

export interface Control {
  port: number;
  /** For agents and tests, on loopback. */
  url: string;
  runId: string;
  state(): State;
  /** Warns viewers, ends every fault, closes everything. At most about 3 s, whoever is connected. */
  close(): Promise<void>;
}

/** How long open connections may take to finish when the process stops, ms. */
const DRAIN_MS = 300;
const PAGES_CLOSE_MS = 1000;
const LOOPBACK = ['127.0.0.1', 'localhost', '::1', '0.0.0.0', '::'];

/**
 * The control process in one call: everything under `server/control` put together.
 *
 *     agents ──► AgentGateway ──► FaultDesk ──► FactLog (journal) ──► ConsoleGateway ──► browsers
 *                     └────────► Hub ──► Recorder                └──► REST
 *                                 └────► LiveGateway ──► browsers
 */
export async function createControl(options: ControlOptions): Promise<Control> {
  const { settings, logger, waits = {} } = options;
  const runId = ulid();
  const http = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 });
  const sockets = new Set<Socket>();
  http.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  let port = settings.PORT;
  const access = new Access({ host: settings.HOST, port: () => port, token: settings.BROWNOUT_TOKEN });
  const admit: ConsoleGatewayOptions['admit'] = ({ headers, auth }) => {
    access.checkToken(headers, typeof auth['token'] === 'string' ? auth['token'] : undefined);
  };

  const io = new Server(http, {
    destroyUpgrade: false, // Next has upgrades of its own (hot reload)
    transports: ['websocket'],
    perMessageDeflate: false,
    httpCompression: false,
    serveClient: false,
    pingInterval: 5000,
    pingTimeout: 5000,
    connectTimeout: 5000,
    maxHttpBufferSize: 1024 * 1024,
    allowRequest: (request, decide) => {
      try {
        access.checkHost(request.headers);
        access.checkOrigin(request.headers);
        decide(null, true);
      } catch (error) {
        const problem = toProblem(error, (unknown) => logger.error({ err: unknown }, 'admission failed'));
        logger.warn({ code: problem.code, detail: problem.detail }, 'socket refused');
        decide(problem.detail, false);
      }
    },
  });

  const { log, open, halted } = await FactLog.open({ dir: join(settings.DATA_DIR, 'journal'), logger });
  const hub = new Hub();
  const agents = new AgentGateway(io, { secret: options.agentSecret, runId, hub, log, logger, ...waits });
  const seeds = new FaultSeeds(settings.FAULT_SEED);
  const desk = new FaultDesk({
    link: agents,
    log,
    logger,
    remaining: () => remainingOf(hub),
    maxServices: settings.FAULT_SERVICES_MAX,
    seeds,
    ...waits,
  });
  const leases = new Leases({ desk, log, ...waits });
  const state = () =>
    readState({ runId, seed: seeds.run, backendPort: settings.BACKEND_PORT, hub, log, desk, agents, leases });
  const metrics: Metrics = new Metrics({
    hub,
    desk,
    log,
    state,
    viewers: () => ({
      console: consoles.viewers,
      live: live.viewers,
      mostUnsentBytes: consoles.mostUnsentBytes,
    }),
  });
  const onCommand = (command: string, outcome: string) => metrics.countCommand(command, outcome);
  const consoles = new ConsoleGateway(io, {
    desk,
    log,
    leases,
    agents,
    state,
    logger,
    admit,
    onCommand,
    ...waits,
  });
  const live = new LiveGateway(io, { hub, seq: () => log.seq, state, admit });
  const recorder = new Recorder({
    dir: join(settings.DATA_DIR, 'recorder'),
    logger,
    sample: () => ({ metrics: hub.metrics(), values: hub.values() }),
  });
  const rest = createRestApp({ hub, recorder, log, state, desk, agents, logger, onCommand });
  agents.attach(desk);
  log.tell('controlStarted', 'control', { runId });
  desk.recover(open, halted);
  await log.sync().catch((error: unknown) => logger.error({ err: error }, 'the journal cannot be written'));
  const pulse = startPulse(consoles, live);
  const self = watchSelf(hub, log, () => consoles.viewers);

  let pages: Pages | null = null;
  http.on(
    'request',
    createHttpFront({
      access,
      rest: getRequestListener(rest.fetch, { overrideGlobalObjects: false }),
      metrics,
      desk,
      state,
      pages: () => pages,
      logger,
    }),
  );
  if (options.next) {
    pages = await createNextPages({ ...options.next, httpServer: http, hostname: settings.HOST, port });
  }
  port = await listen(http, settings);
  const loopback = LOOPBACK.includes(settings.HOST) ? undefined : await listenOnLoopback(http, port);
  const host = settings.HOST === '::1' ? '[::1]' : '127.0.0.1';
  logger.info(
    { host: settings.HOST, port, runId, seed: seeds.run, halted: halted !== null },
    'control listening',
  );

  return {
    port,
    url: `http://${host}:${port}`,
    runId,
    state,
    async close() {
      consoles.announceShutdown();
      await desk.close();
      self.close();
      pulse.close();
      leases.close();
      for (const gateway of [agents, consoles, live]) gateway.close();
      loopback?.close();
      const closing = io.close();
      http.closeIdleConnections();
      const destroy = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, DRAIN_MS);
      await closing;
      clearTimeout(destroy);
      await Promise.race([
        pages?.close(),
        new Promise((resolve) => setTimeout(resolve, PAGES_CLOSE_MS).unref()),
      ]);
      recorder.close();
      await log.close();
    },
  };
}

const PULSE_MS = 500;

/** The rhythm in which viewers are told, and in between looked after. */
function startPulse(consoles: ConsoleGateway, live: LiveGateway): { close(): void } {
  const steps = [() => consoles.cutSlow(), () => live.sendTick()];
  let count = 0;
  const timer = setInterval(() => steps[count++ % steps.length]?.(), PULSE_MS / steps.length);
  timer.unref();
  return { close: () => clearInterval(timer) };
}

/** The control process is observed too: its loop, memory and viewers are series, a held loop is a fact. */
function watchSelf(hub: Hub, log: FactLog, viewers: () => number): { close(): void } {
  const lag = new LoopLag({ onLag: (lagMs) => log.tell('loopLag', 'control', { lagMs }) });
  hub.declare('control', [
    { name: 'control.loopLagMs', unit: 'ms', help: 'Longest hold of the control process event loop' },
    { name: 'control.memoryMib', unit: 'MiB', help: 'Resident memory of the control process' },
    { name: 'control.viewers', unit: 'items', help: 'Browsers connected to the console' },
  ]);
  const timer = setInterval(() => {
    hub.frame('control', [lag.lagMs, process.memoryUsage.rss() / 2 ** 20, viewers()], lag.lagMs);
  }, SLOT_MS);
  timer.unref();
  return {
    close() {
      clearInterval(timer);
      lag.close();
    },
  };
}

/** @throws {ConfigError} naming the setting when the port or address cannot be had */
function listen(http: HttpServer, { HOST, PORT }: Pick<Settings, 'HOST' | 'PORT'>): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(new ConfigError('PORT', `PORT=${PORT} is in use: set PORT to a free one`, { cause: error }));
      } else if (error.code === 'EACCES') {
        reject(
          new ConfigError('PORT', `PORT=${PORT} needs more rights: set PORT above 1023`, { cause: error }),
        );
      } else if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
        reject(new ConfigError('HOST', `HOST=${HOST} is no address of this machine`, { cause: error }));
      } else reject(error);
    });
    http.listen(PORT, HOST, () => resolve((http.address() as AddressInfo).port));
  });
}

/** Agents always come over loopback, whatever address the console is on. */
function listenOnLoopback(http: HttpServer, port: number): Promise<NetServer> {
  return new Promise((resolve, reject) => {
    const server = createNetServer((socket) => http.emit('connection', socket));
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
