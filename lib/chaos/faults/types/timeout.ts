import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'timeout',
  order: 10,
  title: 'Timeout',
  description:
    'Calls are held without an answer, then their connection is closed; on the GPU, a kernel hangs.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({
    delayMs: milliseconds(
      'Hold',
      { min: 100, max: 600_000, default: 30_000 },
      'How long a call is held before its connection is closed',
    ),
    channel: z
      .enum(['control', 'data'])
      .default('data')
      .meta({
        title: 'FTP channel',
        description: 'Which FTP connection is held; other services ignore it',
        onlyFor: ['ftp', 'network'],
      }),
    services: networkTargets,
  }),
  proxy: { action: 'hold' },
  makes: ['timeout', 'reset'],
  promises: [
    {
      service: 'yolo26',
      text: 'Empty detections flagged degraded, a warning in the log; the breaker opens.',
    },
    {
      service: 'nemotron',
      text: 'The event is stored with a default risk score, marked as such, and analysed again later.',
    },
    { service: 'redis', text: 'Caching is skipped; new jobs wait in memory.' },
    { service: 'database', text: 'Viewers get cached data marked stale, or 503 with Retry-After.' },
    { service: 'ftp', text: 'Partial uploads go to quarantine with a dead letter; cameras send them again.' },
    { service: 'gpu', text: 'Inference hangs; the clients of both services time out.' },
    {
      service: 'pubsub',
      text: "Events go straight to this process's viewers; subscribers come back by themselves.",
    },
    { service: 'network', text: 'Time-outs open the breakers; work waits and is done later.' },
  ],
});
