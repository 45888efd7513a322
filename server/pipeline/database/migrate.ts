import { join } from 'node:path';
import { runner } from 'node-pg-migrate';
import type { Database } from './database.ts';

export interface MigrateOptions {
  /** Ends the attempts. */
  signal: AbortSignal;
  /** Wait between attempts, ms. @default 500 */
  retryMs?: number;
  /** Told why an attempt failed. @default nothing */
  onRetry?: (error: unknown) => void;
}

/**
 * Brings the schema up to date, trying until the database is there.
 *
 * @throws the signal's reason when `signal` aborts first
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<void> {
  const { signal, retryMs = 500, onRetry } = options;
  for (;;) {
    signal.throwIfAborted();
    try {
      await database.withConnection((client) =>
        runner({
          dbClient: client,
          dir: join(import.meta.dirname, 'migrations'),
          migrationsTable: 'migrations',
          direction: 'up',
          advisoryLockMode: 'wait',
          log: () => {},
        }),
      );
      return;
    } catch (error) {
      onRetry?.(error);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}
