import { type FaultSpec, faultMark } from '../../faults/fault.ts';
import { ruleOf } from '../actions.ts';
import type { SqlError } from './messages.ts';

/** The error by which a fault shows itself, in PostgreSQL's own words where its type gives some. */
export function sqlErrorOf(fault: FaultSpec): SqlError {
  const error = ruleOf(fault.type)?.sqlError?.(fault) ?? {
    sqlState: '58000',
    text: `injected by fault ${fault.type}`,
  };
  return { ...error, mark: faultMark(fault.id) };
}
