import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export const bandwidth = defineFaultType({
  type: 'bandwidth',
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
  promises: [{ service: 'network', text: 'Uploads take longer and arrive whole.' }],
});
