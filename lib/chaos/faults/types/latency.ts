import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'latency',
  order: 50,
  title: 'Latency',
  description: 'Each call is delayed by a fixed time plus jitter; throughput is not cut.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({
    latencyMs: milliseconds('Latency', { min: 0, max: 60_000, default: 500 }, 'Added to each call'),
    jitterMs: milliseconds(
      'Jitter',
      { min: 0, max: 60_000, default: 0 },
      'Up to this much more or less, drawn for each call',
    ),
    services: networkTargets,
  }),
  rampsDelay: true,
  proxy: { action: 'delay' },
  makes: ['timeout', 'reset'],
  promises: [
    { service: 'network', text: 'Operations succeed with longer response times.' },
    { service: 'database', text: 'Slow reads are answered from the cache, marked stale.' },
    { service: 'yolo26', text: 'Detections come later; beyond their time-out as under a time-out.' },
    { service: 'nemotron', text: 'Analyses come later; beyond their time-out as under a time-out.' },
    { service: 'redis', text: 'Work goes on; a call beyond its time-out skips the cache.' },
    { service: 'ftp', text: 'Uploads take longer and arrive whole.' },
    {
      service: 'gpu',
      text: 'Inference takes longer; beyond the time-out of its clients as under a time-out.',
    },
    { service: 'pubsub', text: 'Viewers see events later, all of them.' },
  ],
});
