import { z } from 'zod';
import { isPublish } from '../proxy/redis/commands.ts';
import type { FaultSpec } from './fault.ts';
import type { CallInfo } from './injector.ts';

/** The `channel` parameter that pub/sub faults share. */
export const channelPart = z
  .string()
  .max(200)
  .default('')
  .meta({ title: 'Channel', description: 'Part of a channel name; empty means every channel' });

/** Whether a command names a channel that the fault's `channel` is a part of. */
export function onChannel(call: CallInfo, fault: FaultSpec): boolean {
  const part = String(fault.params['channel'] ?? '');
  return part === '' || (call.channels ?? []).some((channel) => channel.includes(part));
}

/** Whether a command publishes to such a channel. */
export function publishes(call: CallInfo, fault: FaultSpec): boolean {
  return isPublish(call.command) && onChannel(call, fault);
}
