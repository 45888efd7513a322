import { type FaultSpec, faultMark } from '../../faults/fault.ts';
import { ruleOf } from '../actions.ts';

/** The reply of a fault on the wire: an error with its mark, or what hides that something is wrong. */
export function replyOf(fault: FaultSpec): string {
  const reply = ruleOf(fault.type)?.redisReply?.(fault) ?? { error: `ERR injected by fault ${fault.type}` };
  return 'error' in reply ? `-${reply.error} ${faultMark(fault.id)}\r\n` : reply.reply;
}

/** The command that takes the place of one that is hit inside MULTI; undefined for one that is to be refused. */
export function queuedInstead(fault: FaultSpec): Buffer | undefined {
  const reply = ruleOf(fault.type)?.redisReply?.(fault);
  if (!reply || 'error' in reply) return undefined;
  const words = reply.queued.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${words.join('')}`);
}
