import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'intermittent',
  order: 40,
  title: 'Intermittent failures',
  description: 'A share of the calls fails with an error of the protocol; the others pass untouched.',
  plane: 'protocol',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
  defaultRatio: 0.5,
  proxy: { action: 'answer' },
  makes: ['error_reply', 'reset'],
  promises: [
    { service: 'network', text: 'Retries absorb most failures; the breakers stay closed or recover.' },
  ],
});
