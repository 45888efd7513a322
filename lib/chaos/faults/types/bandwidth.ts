import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

/**
 * Over a second and more the rate at the client is within 10 % of the one asked (measured: 1 %). Bytes go in steps of
 * 20 ms, so a burst after silence may be ahead by two steps; a late timer is caught up, so a busy machine loses no rate.
 */
export default defineFaultType({
  type: 'bandwidth',
  order: 230,
  title: 'Narrow bandwidth',
  description:
    'Each connection passes so much a second in each direction and no more; senders are slowed down.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({
    rateKibPerSecond: z.number().min(1).max(1_048_576).default(64).meta({
      title: 'Rate',
      description: 'Of each connection, in each direction',
      unit: 'KiB/s',
    }),
    services: networkTargets,
  }),
  perCall: false,
  proxy: { action: 'throttle' },
  makes: ['timeout', 'reset'],
  promises: [{ service: 'network', text: 'Uploads take longer and arrive whole.' }],
});
