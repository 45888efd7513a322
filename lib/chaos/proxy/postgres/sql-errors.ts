import { type FaultSpec, faultMark } from '../../faults/fault.ts';
import type { SqlError } from './messages.ts';

/** The error by which a fault shows itself, in PostgreSQL's own words where it has some. */
export function sqlErrorOf(fault: FaultSpec): SqlError {
  const mark = faultMark(fault.id);
  const injected = `injected by fault ${fault.type}`;
  switch (fault.type) {
    case 'query_error':
      return { sqlState: String(fault.params['sqlState']), text: injected, mark };
    case 'deadlock':
      return { sqlState: '40P01', text: 'deadlock detected', mark };
    case 'connection_lost':
      return { sqlState: '57P01', text: 'terminating connection due to administrator command', mark };
    case 'too_many_connections':
      return { sqlState: '53300', text: 'sorry, too many clients already', mark };
    default:
      return { sqlState: '58000', text: injected, mark };
  }
}
