/** Comments and white space in front of a statement. */
const LEADING = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/;

/** First word of a statement, upper case: what its hits are counted under. */
export function verbOf(sql: string): string {
  const match = /^[A-Za-z]+/.exec(sql.replace(LEADING, ''));
  return match ? match[0].toUpperCase() : '';
}

/** Statements that end a transaction well: made to fail, they must end it all the same. */
export function isCommit(verb: string): boolean {
  return verb === 'COMMIT' || verb === 'END';
}

/**
 * Statements that no fault makes fail: those that undo (a swallowed ROLLBACK leaves the client in an aborted
 * transaction), those that change how the connection speaks (COPY), and those whose effect outlives a transaction
 * in ways a proxy cannot follow.
 */
const NEVER_FAILED = new Set([
  '',
  'ROLLBACK',
  'ABORT',
  'COPY',
  'LISTEN',
  'UNLISTEN',
  'PREPARE',
  'DEALLOCATE',
  'DISCARD',
]);

export function isNeverFailed(verb: string): boolean {
  return NEVER_FAILED.has(verb);
}

export function isHealthCheck(sql: string): boolean {
  return /^\s*select\s+1\s*(?:;\s*)?$/i.test(sql);
}

const LOCKING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'LOCK', 'TRUNCATE', 'WITH']);

/** Statements that wait for locks of others, so that they can be the victim of a deadlock. */
export function takesLocks(sql: string): boolean {
  const verb = verbOf(sql);
  if (verb === 'WITH') return /\b(insert|update|delete|merge)\b/i.test(sql);
  return LOCKING.has(verb) || (verb === 'SELECT' && /\bfor\s+(no\s+key\s+)?update\b/i.test(sql));
}
