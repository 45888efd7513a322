import type { SabotagesOf } from './sabotage.ts';

const DATABASE = 'server/pipeline/database/database.ts';
const ERRORS = 'server/pipeline/database/database-error.ts';
const PIPELINE = 'server/pipeline/main.ts';

export const sabotage: SabotagesOf<'database-pool-exhaustion'> = {
  'concurrent-queries-with-small-pool-queue': {
    breaks: 'the pool has no bound',
    file: DATABASE,
    find: 'max: merged.size + merged.overflow,',
    replace: 'max: 60,',
  },
  'pool-timeout-triggers-graceful-error': {
    breaks: 'the error of a check-out does not tell the figures',
    file: DATABASE,
    find: 'throw new CheckoutTimeoutError({ active, idle, waiting, max }, { cause });',
    replace: 'throw cause;',
  },
  'pool-exhaustion-logged-and-monitored': {
    breaks: 'an exhausted pool is not told',
    file: DATABASE,
    find: 'if (active >= max) this.#options.onExhausted({ active, idle, waiting, max });',
    replace: '',
  },
  'unclosed-connection-detected': {
    breaks: 'a leak is counted and not told',
    file: DATABASE,
    find: 'onLeak({ heldMs: Math.round(now - hold.since), callSite: callSiteOf(caller) });',
    replace: '',
  },
  'pool-statistics-expose-leak-metrics': {
    breaks: 'the figures of the pool leave leaks out',
    file: DATABASE,
    find: 'leaked: [...this.#held.values()].filter((hold) => hold.leaked).length,',
    replace: 'leaked: 0,',
  },
  'long-query-cancelled-after-timeout': {
    breaks: 'the server is not asked to give up a statement',
    file: DATABASE,
    find: 'statement_timeout: merged.statementMs,',
    replace: '',
  },
  'slow-query-logs-performance-warning': {
    breaks: 'slow queries are not told',
    file: DATABASE,
    find: 'if (durationMs > this.#options.slowQueryMs) {',
    replace: 'if (durationMs > 60_000) {',
  },
  'long-query-blocks-pool-for-others': {
    breaks: 'one connection more than the pool may have',
    file: DATABASE,
    find: 'max: merged.size + merged.overflow,',
    replace: 'max: merged.size + merged.overflow + 1,',
  },
  'stale-connection-recycled-on-checkout': {
    breaks: 'connections live for ever',
    file: DATABASE,
    find: 'maxLifetimeSeconds: merged.maxLifetimeSeconds,',
    replace: '',
  },
  'invalid-connection-detected-on-checkout': {
    breaks: 'an idle connection is used without a check',
    file: DATABASE,
    find: 'if (usedAt === undefined || now - usedAt < this.#options.checkIdleMs) return client;',
    replace: 'if (now > 0) return client;',
  },
  'overflow-connections-created-under-pressure': {
    breaks: 'overflow connections stay',
    file: DATABASE,
    find: 'min: merged.size,',
    replace: 'min: merged.size + merged.overflow,',
  },
  'overflow-exhausted-triggers-queue': {
    breaks: 'there is no overflow',
    file: DATABASE,
    find: 'max: merged.size + merged.overflow,',
    replace: 'max: merged.size,',
  },
  'connection-refused-raises-operational-error': {
    breaks: 'errors of the connection do not count as trouble of the database',
    file: ERRORS,
    find: "if (code === undefined || !SQLSTATE.test(code)) return code !== 'CLIENT_RELEASED';",
    replace: 'if (code === undefined || !SQLSTATE.test(code)) return false;',
  },
  'connection-refused-logged-and-alerted': {
    breaks: 'a critical service that is down raises no alert',
    file: PIPELINE,
    find: 'if (down) {',
    replace: 'if (down && healthy) {',
  },
  'connection-lost-mid-transaction-rolls-back': {
    breaks: 'work is not in a transaction',
    file: DATABASE,
    find: "await this.#run(client, 'BEGIN', []);",
    replace: '',
  },
  'connection-reset-during-execute': {
    breaks: 'errors without an HTTP status are not tried again',
    file: 'lib/chaos/retry/retry.ts',
    find: "if (typeof status !== 'number') return true;",
    replace: "if (typeof status !== 'number') return false;",
  },
  'deadlock-detected-and-retried': {
    breaks: 'a deadlock is not repeated',
    file: DATABASE,
    find: 'if (attempt >= TRANSACTION_ATTEMPTS || !isRepeatable(error)) throw error;',
    replace: 'if (attempt >= 1 || !isRepeatable(error)) throw error;',
  },
  'deadlock-logged-with-query-context': {
    breaks: 'the log does not name the statement of a deadlock',
    file: DATABASE,
    find: 'if (isRepeatable(error)) this.#failedSql.set(error, shortened(sql));',
    replace: '',
  },
  'long-transaction-times-out': {
    breaks: 'the client waits for ever',
    file: DATABASE,
    find: 'query_timeout: merged.queryMs,',
    replace: '',
  },
  'idle-in-transaction-timeout': {
    breaks: 'an idle transaction is kept for ever',
    file: DATABASE,
    find: 'idle_in_transaction_session_timeout: merged.idleInTransactionMs,',
    replace: '',
  },
};
