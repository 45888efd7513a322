import type { z } from 'zod';
import type { ErrorCode, Problem } from '#lib/protocol/errors.ts';

const STATUS = {
  INVALID_INPUT: [422, 'Invalid input'],
  INVALID_JSON: [400, 'Invalid JSON'],
  BODY_TOO_LARGE: [413, 'Body too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Unsupported media type'],
  NOT_FOUND: [404, 'Not found'],
  METHOD_NOT_ALLOWED: [405, 'Method not allowed'],
  EVENT_NOT_FOUND: [404, 'No such event'],
  MEDIA_NOT_FOUND: [404, 'No such picture'],
  FORBIDDEN_ORIGIN: [403, 'Forbidden origin'],
  UNAUTHORIZED: [401, 'Unauthorized'],
  STORAGE_UNAVAILABLE: [503, 'Storage unavailable'],
  INTERNAL: [500, 'Internal error'],
} as const satisfies Partial<Record<ErrorCode, readonly [number, string]>>;

export type ViewerErrorCode = keyof typeof STATUS;

/** What a request is refused with. */
export class ViewerProblem extends Error {
  readonly code: ViewerErrorCode;
  readonly input: Pick<Problem, 'field' | 'value' | 'allowed'>;
  /** Becomes Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ViewerErrorCode,
    message: string,
    extra: Pick<Problem, 'field' | 'value' | 'allowed'> & { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    const { retryAfterMs, cause, ...input } = extra;
    super(message, { cause });
    this.name = new.target.name;
    this.code = code;
    this.input = input;
    this.retryAfterMs = retryAfterMs;
  }

  toProblem(): Problem {
    const [status, title] = STATUS[this.code];
    return { type: 'about:blank', title, status, code: this.code, detail: this.message, ...this.input };
  }
}

/** The first thing that zod found wrong, with the field, its value and what is allowed. */
export function invalidInput(error: z.ZodError, input: unknown): ViewerProblem {
  const issue = error.issues[0];
  const path =
    issue?.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : (issue?.path ?? []);
  const field = path.length === 0 ? 'body' : path.join('.');
  let value: unknown = input;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  const allowed = issue?.code === 'unrecognized_keys' ? 'no such field' : (issue?.message ?? 'another value');
  return new ViewerProblem('INVALID_INPUT', `${field}: ${allowed}`, { field, value, allowed });
}
