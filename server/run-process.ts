import { ConfigError, readSettings, readWiring, type Settings, type Wiring } from './config.ts';
import { createLogger, type Logger } from './logging.ts';

export interface ProcessContext {
  settings: Settings;
  wiring: Wiring;
  logger: Logger;
}

/** What an entry file starts. `close` must end everything it opened; it gets 4 s. */
export interface Running {
  close(): Promise<void>;
}

const CLOSE_LIMIT_MS = 4000;

/**
 * The life of a child process: settings, start, "ready" to the supervisor, orderly end.
 *
 * It ends on SIGTERM, SIGINT and when the supervisor's channel closes. Exit codes: 0 orderly, 1 crash, 2 bad setting.
 */
export async function runProcess(
  name: string,
  start: (context: ProcessContext) => Promise<Running>,
): Promise<void> {
  let logger: Logger | undefined;
  let running: Running | undefined;
  let closing = false;

  const exit = (why: string) => {
    if (closing) return;
    closing = true;
    logger?.info({ why }, 'closing');
    setTimeout(() => process.exit(1), CLOSE_LIMIT_MS).unref();
    Promise.resolve(running?.close()).then(
      () => process.exit(0),
      (error) => {
        logger?.error({ err: error }, 'could not close');
        process.exit(1);
      },
    );
  };

  process.on('SIGTERM', () => exit('SIGTERM'));
  process.on('SIGINT', () => exit('SIGINT'));
  process.on('disconnect', () => {
    // Stdout is a broken pipe now: the logger's exit hook would try to flush it for ever.
    logger = undefined;
    process.removeAllListeners('exit');
    exit('supervisor gone');
  });
  process.on('uncaughtException', (error) => {
    logger?.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });
  process.on('unhandledRejection', (error) => {
    logger?.fatal({ err: error }, 'unhandled rejection');
    process.exit(1);
  });

  try {
    const settings = readSettings();
    logger = createLogger(name, settings.LOG_LEVEL);
    const wiring = readWiring(settings);
    running = await start({ settings, wiring, logger });
    process.send?.({ kind: 'ready' });
    logger.info({ pid: process.pid }, 'ready');
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(2);
    }
    if (logger) logger.fatal({ err: error }, 'could not start');
    else process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  }
}
