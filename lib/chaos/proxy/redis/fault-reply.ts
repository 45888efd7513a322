import { type FaultSpec, faultMark } from '../../faults/fault.ts';

/** What Redis itself says, by the first word of its reply. */
const ERRORS: Readonly<Record<string, string>> = {
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  READONLY: "READONLY You can't write against a read only replica.",
  LOADING: 'LOADING Redis is loading the dataset in memory',
  BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
};

const NO_CHANNEL = 'NOPERM this user has no permissions to access one of the channels used as arguments';

/** The reply of a fault: an error with its mark, or what hides that a message was lost. */
export function replyOf(fault: FaultSpec): string {
  if (fault.type === 'message_loss') return ':0\r\n';
  if (fault.type === 'subscription_failure') return `-${NO_CHANNEL} ${faultMark(fault.id)}\r\n`;
  const kind = fault.type === 'error_reply' ? fault.params['kind'] : undefined;
  const text = typeof kind === 'string' ? ERRORS[kind] : undefined;
  return `-${text ?? `ERR injected by fault ${fault.type}`} ${faultMark(fault.id)}\r\n`;
}
