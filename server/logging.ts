import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on stdout; the supervisor keeps them in `DATA_DIR/logs` and shows warnings on the terminal. */
export function createLogger(process: string, level: string): Logger {
  return pino({ base: { process }, level, timestamp: pino.stdTimeFunctions.isoTime });
}
