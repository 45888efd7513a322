import { z } from 'zod';

/** Stable codes of everything that can be refused over REST or a socket. Branch on them, never on the text. */
export const ERROR_CODES = [
  'INVALID_INPUT', // 422: a field is wrong; `field`, `value`, `allowed` say how
  'INVALID_JSON', // 400
  'BODY_TOO_LARGE', // 413
  'UNSUPPORTED_MEDIA_TYPE', // 415
  'NOT_FOUND', // 404: no such route
  'METHOD_NOT_ALLOWED', // 405
  'FAULT_NOT_FOUND', // 404
  'FAULT_EXISTS', // 409: one fault a service and type; `owner` says whose
  'TOO_MANY_SERVICES', // 409: the setting FAULT_SERVICES_MAX allows no further one to be broken; `allowed` says how many
  'HALTED', // 409: halted; resume first
  'NOT_HALTED', // 409
  'STALE_VERSION', // 412
  'INJECTOR_UNAVAILABLE', // 503: a process that should act did not acknowledge; nothing was armed
  'BREAKER_NOT_FOUND', // 404
  'DEAD_LETTER_NOT_FOUND', // 404
  'NOT_REDRIVABLE', // 409: a partial upload that was never accepted; only its camera can send it again
  'BREAKER_OPEN', // 409: what the letters need is known to be down; `field` is the queue
  'TASK_RUNNING', // 409: one re-drive or purge a queue; `owner` says whose
  'TASK_NOT_FOUND', // 404: no re-drive or purge of this queue is on
  'EVENT_NOT_FOUND', // 404, port 8000
  'MEDIA_NOT_FOUND', // 404, port 8000
  'STORAGE_UNAVAILABLE', // 503 with Retry-After, port 8000: the database did not answer and nothing is cached
  'PROCESS_UNAVAILABLE', // 503: the process that owns this is down
  'FORBIDDEN_ORIGIN', // 403: Host or Origin is not ours
  'UNAUTHORIZED', // 401
  'IDEMPOTENCY_MISMATCH', // 422: the key was used for another command
  'RATE_LIMITED', // 429
  'INTERNAL', // 500: logged in full, not shown
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** application/problem+json (RFC 9457), and the failure half of every socket acknowledgement. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(ERROR_CODES),
  detail: z.string(),
  field: z.string().optional(),
  value: z.unknown().optional(),
  allowed: z.string().optional(),
  owner: z.string().optional(),
  /** Injectors that did not acknowledge in time. */
  injectors: z.array(z.string()).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** Answer to a socket command. */
export type Ack<T> = { ok: true; data: T } | { ok: false; error: Problem };
