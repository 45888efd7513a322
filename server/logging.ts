import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * JSON lines on stdout, which the supervisor keeps in `DATA_DIR/logs`; its own lines go to `destination`.
 */
export function createLogger(process: string, level: string, destination?: DestinationStream): Logger {
  const options = { base: { process }, level, timestamp: pino.stdTimeFunctions.isoTime };
  return destination ? pino(options, destination) : pino(options);
}
