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
    { service: 'yolo26', text: 'Failed jobs are tried again; only failures in a row open the breaker.' },
    { service: 'nemotron', text: 'Failed analyses get a default risk score, marked; re-analysed later.' },
    { service: 'redis', text: 'What fails is tried again or waits in memory; no job is done twice or lost.' },
    { service: 'database', text: 'Failed writes are tried again and stored once.' },
    { service: 'ftp', text: 'Cameras keep a refused frame and send it again.' },
    { service: 'gpu', text: 'The call is answered with an error; its job is tried again.' },
    { service: 'pubsub', text: 'Publishing is tried again.' },
    { service: 'network', text: 'Retries absorb most failures; the breakers stay closed or recover.' },
  ],
});
