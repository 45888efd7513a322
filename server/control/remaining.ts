import type { Hub } from './hub.ts';

/** What is still recovering at this moment, in words for a receipt. Empty: steady again. */
export function remainingOf(hub: Hub): string[] {
  const remaining: string[] = [];
  const pipeline = hub.aged('pipeline');
  if (pipeline) {
    for (const breaker of pipeline.breakers) {
      if (breaker.state !== 'CLOSED') remaining.push(`breaker ${breaker.name} ${breaker.state}`);
    }
    for (const queue of pipeline.queues) {
      const waiting = queue.depth + queue.parked;
      if (waiting === 0) continue;
      const surplus = queue.outPerSecond - queue.inPerSecond;
      const pace = surplus > 0 ? `about ${Math.ceil(waiting / surplus)} s` : 'not draining yet';
      remaining.push(`queue ${queue.name}: ${waiting} waiting, ${pace}`);
    }
    if (pipeline.mode.mode !== 'NORMAL') remaining.push(`mode ${pipeline.mode.mode}`);
  }
  const gpu = hub.aged('inference')?.gpu;
  if (gpu) {
    if (!gpu.available) remaining.push('GPU unavailable until it restarts');
    else if (gpu.paused) remaining.push('GPU paused');
    if (gpu.throttled.length > 0) remaining.push(`GPU throttled: ${gpu.throttled.join(', ')}`);
  }
  for (const { name, state } of hub.aged('supervisor')?.processes ?? []) {
    if (state !== 'up' && state !== 'external') remaining.push(`process ${name} ${state}`);
  }
  return remaining;
}
