import { timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import type { AddressInfo, Server, Socket } from 'node:net';
import ftpSrv, { type FtpConnection } from 'ftp-srv';
import type { Logger } from '../../logging.ts';
import type { CameraCredentials } from './credentials.ts';
import { FtpRefusal, readRefusal } from './ftp-refusal.ts';
import type { IncomingUploads, UploadSession } from './incoming-uploads.ts';

const { FtpSrv, FileSystem } = ftpSrv as typeof ftpSrv & typeof import('ftp-srv');

export interface FtpServerOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  passivePorts: { min: number; max: number };
  credentials: CameraCredentials;
  uploads: IncomingUploads;
  logger: Logger;
}

export interface FtpServer {
  readonly port: number;
  /** Cameras that are logged in. */
  readonly sessions: number;
  close(): Promise<void>;
}

/** What cameras need; everything that reads, deletes, appends, restarts or opens connections of ours is not in it. */
const COMMANDS = [
  ...['USER', 'PASS', 'QUIT', 'NOOP', 'SYST', 'FEAT', 'OPTS', 'STAT', 'HELP', 'TYPE', 'MODE', 'STRU', 'ALLO'],
  ...['PWD', 'CWD', 'CDUP', 'LIST', 'NLST', 'PASV', 'EPSV', 'STOR', 'SIZE', 'RNFR', 'RNTO', 'ABOR'],
];
const IDLE_MS = 300_000;

/** A command line that is longer ends its connection. */
const MAX_LINE_CHARS = 8 * 1024;

type CommandConnection = FtpConnection & {
  commandSocket: Socket;
  commands: { handle(line: string): PromiseLike<unknown> };
};

/**
 * ftp-srv, wrapped: the one file that knows its ways.
 *
 * It would end the process on signals, log through bunyan and answer every failure with 550; all three are taken from
 * it here. Its `client-error` event must have a listener, or a camera that hangs up ends the process.
 */
export async function startFtpServer(options: FtpServerOptions): Promise<FtpServer> {
  const { host, port, passivePorts, credentials, uploads, logger } = options;
  const server = withoutSignalListeners(
    () =>
      new FtpSrv({
        url: `ftp://${host}:${port}`,
        pasv_url: host,
        pasv_min: passivePorts.min,
        pasv_max: passivePorts.max,
        greeting: ['Brownout camera intake'],
        whitelist: COMMANDS,
        log: quietLog(logger),
      }),
  );
  const sessions = new Map<string, UploadSession>();

  server.on('connect' as 'disconnect', ({ connection }) => {
    const { commandSocket } = connection as CommandConnection;
    commandSocket.setNoDelay(true); // 150 and 226 in a row: Nagle would hold the second for 40 ms
    // A socket that has closed forgets it, and ftp-srv compares it with that of a data connection that comes late.
    Object.defineProperty(commandSocket, 'remoteAddress', { value: commandSocket.remoteAddress });
    serveInOrder(connection as CommandConnection, logger);
  });
  server.on('login', ({ connection, username, password }, resolve, reject) => {
    if (!matches(credentials[username], password)) {
      logger.warn({ user: username }, 'FTP login refused');
      reject(new Error('Login incorrect'));
      return;
    }
    const session = uploads.openSession(username);
    sessions.set(connection.id, session);
    (connection as CommandConnection).commandSocket.setTimeout(IDLE_MS); // ftp-srv listens to 'timeout'
    resolve({ fs: new CameraFileSystem(connection, session, uploads) });
  });
  server.on('disconnect', ({ id }) => {
    const session = sessions.get(id);
    if (session) uploads.closeSession(session);
    sessions.delete(id);
  });
  server.on('client-error', ({ context, error }) =>
    logger.debug({ err: error, context }, 'FTP client error'),
  );

  await server.listen();
  const { server: listener } = server as unknown as { server: Server };
  return {
    port: (listener.address() as AddressInfo).port,
    get sessions() {
      return sessions.size;
    },
    async close() {
      await server.close();
    },
  };
}

/**
 * One command after the other, however they were cut on their way. ftp-srv takes each chunk for whole commands, and
 * serves those of two chunks at once, so that their replies could change places.
 */
function serveInOrder(connection: CommandConnection, logger: Logger): void {
  const { commandSocket, commands } = connection;
  let rest = '';
  let last: Promise<unknown> = Promise.resolve();
  commandSocket.removeAllListeners('data');
  commandSocket.setEncoding('utf8');
  commandSocket.on('data', (text: string) => {
    const lines = `${rest}${text}`.split(/\r?\n/);
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) {
      commandSocket.destroy();
      return;
    }
    for (const line of lines) {
      if (line === '') continue;
      last = last
        .then(() => commands.handle(line))
        .catch((error: unknown) => {
          logger.debug({ err: error }, 'FTP command failed');
          return connection.reply(501, 'Syntax error in parameters'); // OPTS without any throws
        });
    }
  });
}

interface PassiveConnector {
  readonly connection: { connector: PassiveConnector };
  dataServer: Server | null;
  end(): void;
  setupServer(): Promise<unknown>;
}

const { prototype: passive } = createRequire(import.meta.url)('ftp-srv/src/connector/passive.js') as {
  prototype: PassiveConnector;
};
const { setupServer } = passive;
// A data connection that was reset before it is accepted has no address: ftp-srv would throw, and end the process.
// A transfer's server that closes late would take the connector of the next transfer away: 550 for a STOR after a 451.
passive.setupServer = async function (this: PassiveConnector) {
  const made = await setupServer.call(this);
  const { dataServer } = this;
  for (const listener of dataServer?.listeners('connection') ?? []) {
    dataServer?.off('connection', listener as (socket: Socket) => void);
    dataServer?.on('connection', (socket: Socket) => {
      if (socket.remoteAddress === undefined) socket.destroy();
      else listener.call(dataServer, socket);
    });
  }
  dataServer?.removeAllListeners('close').once('close', () => {
    if (this.connection.connector === this) this.end();
  });
  return made;
};

/** One flat folder that shows nothing: names lead to uploads, never to paths. */
class CameraFileSystem extends FileSystem {
  readonly #session: UploadSession;
  readonly #uploads: IncomingUploads;
  #acceptedId: string | undefined;

  constructor(connection: FtpConnection, session: UploadSession, uploads: IncomingUploads) {
    super(connection, { root: '/', cwd: '/' });
    this.#session = session;
    this.#uploads = uploads;
    const reply = connection.reply.bind(connection);
    connection.reply = (code, ...letters) => {
      const text: unknown = letters[0];
      const refusal = code === 550 && typeof text === 'string' ? readRefusal(text) : undefined;
      if (refusal) return reply(refusal.code, refusal.text);
      if (code === 550 && typeof text === 'string' && /^(read|write) E[A-Z]+$/.test(text)) {
        return reply(426, 'Data connection broken');
      }
      if (code === 250 && this.#acceptedId !== undefined) {
        const text = `Accepted as ${this.#acceptedId}`;
        this.#acceptedId = undefined;
        return reply(250, text);
      }
      return reply(code, ...letters);
    };
  }

  override async get(fileName: string): Promise<unknown> {
    const size = await this.#uploads.size(this.#session, fileName);
    return { name: fileName, size, isDirectory: () => false };
  }

  override async list(): Promise<unknown[]> {
    return [];
  }

  override async chdir(path = '/'): Promise<string> {
    if (path !== '/' && path !== '.') throw new FtpRefusal(550, 'There is one folder only');
    return '/';
  }

  override async write(fileName: string): Promise<unknown> {
    const { file, reply } = await this.#uploads.receive(this.#session, fileName);
    return { stream: file, clientPath: reply };
  }

  override async rename(from: string, to: string): Promise<void> {
    this.#acceptedId = await this.#uploads.rename(this.#session, from, to);
  }

  override read(): Promise<never> {
    return refuse();
  }

  override delete(): Promise<never> {
    return refuse();
  }

  override mkdir(): Promise<never> {
    return refuse();
  }

  override chmod(): Promise<never> {
    return refuse();
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new FtpRefusal(550, 'Not allowed'));
}

function matches(expected: string | undefined, given: string): boolean {
  const left = Buffer.from(expected ?? '');
  const right = Buffer.from(given);
  return expected !== undefined && left.length === right.length && timingSafeEqual(left, right);
}

function withoutSignalListeners<T>(make: () => T): T {
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const made = make();
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!before[index]?.has(listener)) process.removeListener(signal, listener);
    }
  }
  return made;
}

interface QuietLog {
  child(): QuietLog;
  trace(): void;
  debug(): void;
  info(): void;
  warn(...words: unknown[]): void;
  error(...words: unknown[]): void;
}

/** ftp-srv logs each refusal as an error, passwords at trace level. */
function quietLog(logger: Logger): QuietLog {
  const tell = (...words: unknown[]) => logger.debug({ words }, 'ftp-srv');
  const quiet: QuietLog = {
    child: () => quiet,
    trace() {},
    debug() {},
    info() {},
    warn: tell,
    error: tell,
  };
  return quiet;
}
