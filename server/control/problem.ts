import type { z } from 'zod';
import { ChaosError } from '../../lib/chaos/errors.ts';
import { describeIssue, InvalidFaultError } from '../../lib/chaos/faults/validate.ts';
import type { ErrorCode, Problem } from '../../lib/protocol/errors.ts';

/** HTTP status and title of every code; the only place where they are said. */
const MEANING: Record<ErrorCode, readonly [status: number, title: string]> = {
  INVALID_INPUT: [422, 'A field is wrong'],
  INVALID_JSON: [400, 'The body is not JSON'],
  BODY_TOO_LARGE: [413, 'The body is too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The body must be application/json'],
  NOT_FOUND: [404, 'There is nothing here'],
  METHOD_NOT_ALLOWED: [405, 'The method does not fit this address'],
  FAULT_NOT_FOUND: [404, 'No such fault is active'],
  FAULT_EXISTS: [409, 'This fault is already active'],
  TOO_MANY_SERVICES: [409, 'Enough services are broken'],
  HALTED: [409, 'Everything is halted'],
  NOT_HALTED: [409, 'Nothing is halted'],
  STALE_VERSION: [412, 'The fault has changed meanwhile'],
  INJECTOR_UNAVAILABLE: [503, 'An injector did not acknowledge'],
  BREAKER_NOT_FOUND: [404, 'No such circuit breaker'],
  DEAD_LETTER_NOT_FOUND: [404, 'No such dead letter'],
  NOT_REDRIVABLE: [409, 'This dead letter cannot be given back'],
  BREAKER_OPEN: [409, 'What these letters need is down'],
  TASK_RUNNING: [409, 'This queue has a task already'],
  TASK_NOT_FOUND: [404, 'No task of this queue is on'],
  EVENT_NOT_FOUND: [404, 'No such event'],
  MEDIA_NOT_FOUND: [404, 'No such picture'],
  STORAGE_UNAVAILABLE: [503, 'The store cannot be reached'],
  PROCESS_UNAVAILABLE: [503, 'The process that owns this is away'],
  FORBIDDEN_ORIGIN: [403, 'Host or Origin is not ours'],
  UNAUTHORIZED: [401, 'A token is needed'],
  IDEMPOTENCY_MISMATCH: [422, 'The idempotency key was used for another command'],
  RATE_LIMITED: [429, 'Too many commands'],
  INTERNAL: [500, 'Something went wrong here'],
};

type Details = Partial<Pick<Problem, 'field' | 'value' | 'allowed' | 'owner' | 'injectors'>>;

export function makeProblem(code: ErrorCode, detail: string, details: Details = {}): Problem {
  const [status, title] = MEANING[code];
  return { type: `urn:brownout:problem:${code.toLowerCase()}`, title, status, code, detail, ...details };
}

/** A command that cannot be done, with everything that its sender may know. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(code: ErrorCode, detail: string, details: Details = {}) {
    super(detail);
    this.name = new.target.name;
    this.problem = makeProblem(code, detail, details);
  }
}

/** Longest text of a refused value that is sent back. */
const VALUE_LIMIT = 200;

function shortened(value: unknown): unknown {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : value;
}

export function invalidInput(field: string, value: unknown, allowed: string): Refusal {
  const shown = shortened(value);
  return new Refusal(
    'INVALID_INPUT',
    `Expected ${field || 'the input'} to be ${allowed}, got ${JSON.stringify(shown) ?? 'nothing'}`,
    { field, allowed, ...(shown === undefined ? {} : { value: shown }) },
  );
}

export function refuseZod(error: z.ZodError, input: unknown, prefix = ''): Refusal {
  const { field, value, allowed } = describeIssue(error, input, prefix);
  return invalidInput(field, value, allowed);
}

/** Parses a socket payload or a query; `prefix` names the enclosing field. @throws {Refusal} INVALID_INPUT */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown, prefix = ''): T {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw refuseZod(parsed.error, input, prefix);
  return parsed.data;
}

/** Maps any error to what may leave the process; `onUnknown` gets those that were not meant for the sender. */
export function toProblem(error: unknown, onUnknown: (error: unknown) => void): Problem {
  if (error instanceof Refusal) return error.problem;
  if (error instanceof InvalidFaultError) {
    return invalidInput(error.field, error.value, error.allowed).problem;
  }
  if (error instanceof ChaosError && error.code === 'FAULT_NOT_FOUND') {
    return makeProblem('FAULT_NOT_FOUND', error.message);
  }
  onUnknown(error);
  return makeProblem('INTERNAL', 'The error has been logged');
}
