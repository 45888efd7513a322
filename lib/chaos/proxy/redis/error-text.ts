import { type FaultSpec, faultMark } from '../../faults/fault.ts';

/** What Redis itself says, by the first word of its reply. */
const ERRORS: Readonly<Record<string, string>> = {
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  READONLY: "READONLY You can't write against a read only replica.",
  LOADING: 'LOADING Redis is loading the dataset in memory',
  BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
};

/** The error reply of a fault, with its mark. */
export function errorTextOf(fault: FaultSpec): string {
  const kind = fault.type === 'error_reply' ? fault.params['kind'] : undefined;
  const text = typeof kind === 'string' ? ERRORS[kind] : undefined;
  return `-${text ?? `ERR injected by fault ${fault.type}`} ${faultMark(fault.id)}\r\n`;
}
