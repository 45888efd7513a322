/** The pool had no connection to give in time. Counts on the `database` breaker. */
export class CheckoutTimeoutError extends Error {
  readonly code = 'CHECKOUT_TIMEOUT';

  constructor(
    figures: { active: number; idle: number; waiting: number; max: number },
    options?: ErrorOptions,
  ) {
    super(
      `No database connection in time: ${figures.active} of ${figures.max} in use, ${figures.idle} idle, ${figures.waiting} waiting`,
      options,
    );
    this.name = new.target.name;
  }
}

/** A client was used after it had been handed back. */
export class ReleasedClientError extends Error {
  readonly code = 'CLIENT_RELEASED';

  constructor() {
    super('This database client has been handed back to the pool');
    this.name = new.target.name;
  }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Deadlock and serialization failure: the transaction did nothing and may be run again. */
export function isRepeatable(error: unknown): error is Error & { code: string } {
  const code = codeOf(error);
  return code === '40P01' || code === '40001';
}

/**
 * Whether the database itself is in trouble: lost or refused connections, time-outs, no room, an internal error;
 * not a statement that is wrong. pg gives connection losses partly without a code, so no code means trouble.
 */
export function isDatabaseTrouble(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined || !SQLSTATE.test(code)) return code !== 'CLIENT_RELEASED';
  return /^(08|53|57|58|XX|25P03)/.test(code);
}

/** Whether the connection on which this failed can be used again. */
export function isConnectionUsable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && SQLSTATE.test(code) && !/^(08|57P|25P03)/.test(code);
}
