import type { z } from 'zod';
import { ChaosError } from '../errors.ts';
import { FAULT_TYPES, faultTypesFor, findFaultType } from './catalogue.ts';
import type { FaultType } from './define.ts';
import { type FaultParams, SERVICE_NAMES, type ServiceName } from './fault.ts';

/** Bad input for a fault: which field, what it was, and what would have been accepted. */
export class InvalidFaultError extends ChaosError {
  readonly field: string;
  readonly value: unknown;
  readonly allowed: string;

  constructor(field: string, value: unknown, allowed: string) {
    super('INVALID_FAULT', `Expected ${field} to be ${allowed}, got ${JSON.stringify(value) ?? 'nothing'}`);
    this.field = field;
    this.value = value;
    this.allowed = allowed;
  }
}

/** The first issue of a zod error as field, value and allowed range in words. `prefix` names the enclosing field. */
export function describeIssue(
  error: z.ZodError,
  input: unknown,
  prefix = '',
): { field: string; value: unknown; allowed: string } {
  const issue = error.issues[0];
  if (!issue) throw new TypeError('A zod error without an issue');
  const path = [...(prefix ? [prefix] : []), ...issue.path.map(String)];
  let value: unknown = input;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const key = issue.keys[0] ?? '';
      const parent = value as Record<string, unknown> | undefined;
      return { field: [...path, key].join('.'), value: parent?.[key], allowed: 'absent (unknown field)' };
    }
    case 'too_small':
      return { field: path.join('.'), value, allowed: sized(issue.origin, 'at least', issue.minimum) };
    case 'too_big':
      return { field: path.join('.'), value, allowed: sized(issue.origin, 'at most', issue.maximum) };
    case 'invalid_value':
      return { field: path.join('.'), value, allowed: `one of ${issue.values.map(String).join(', ')}` };
    case 'invalid_type':
      return { field: path.join('.'), value, allowed: `of type ${issue.expected}` };
    default:
      return { field: path.join('.'), value, allowed: issue.message };
  }
}

function sized(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `${bound} ${limit} characters long`;
  if (origin === 'array') return `a list of ${bound} ${limit} items`;
  return `${bound} ${limit}`;
}

/**
 * Finds the declared type and completes the parameters with their defaults.
 * @throws {InvalidFaultError} naming `service`, `type` or `params.<field>`
 */
export function validateFault(
  service: string,
  type: string,
  params: unknown,
): { service: ServiceName; type: FaultType; params: FaultParams } {
  const known = SERVICE_NAMES.find((name) => name === service);
  if (!known) throw new InvalidFaultError('service', service, `one of ${SERVICE_NAMES.join(', ')}`);
  const declared = findFaultType(type);
  if (!declared) {
    throw new InvalidFaultError('type', type, `one of ${FAULT_TYPES.map((each) => each.type).join(', ')}`);
  }
  if (!declared.services.includes(known)) {
    const fitting = faultTypesFor(known).map((each) => each.type);
    throw new InvalidFaultError('type', type, `for ${known}, one of ${fitting.join(', ')}`);
  }
  const parsed = declared.params.safeParse(params ?? {});
  if (!parsed.success) {
    const { field, value, allowed } = describeIssue(parsed.error, params, 'params');
    throw new InvalidFaultError(field, value, allowed);
  }
  return { service: known, type: declared, params: parsed.data };
}
