import type { FaultPromise } from './define.ts';

/** What must happen while a service cannot be reached at all, whatever makes it so. */
export const OUTAGE_PROMISES: readonly FaultPromise[] = [
  { service: 'yolo26', text: 'The breaker opens; jobs wait in the fallback queue and are done later.' },
  { service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' },
  { service: 'redis', text: 'In-memory cache and memory queue take over; jobs drain back in order.' },
  { service: 'database', text: '503 with Retry-After or cached data marked stale; health degraded.' },
  { service: 'ftp', text: 'Cameras keep their frames and send them again.' },
  {
    service: 'pubsub',
    text: "Events go straight to this process's viewers; critical ones are kept and replayed.",
  },
  { service: 'network', text: 'The breakers open; work waits and is done later.' },
];
