import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'packet_loss',
  order: 220,
  title: 'Packet loss',
  description: 'A share of the requests loses its connection by a reset.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({ services: networkTargets }),
  defaultRatio: 0.1,
  proxy: { action: 'reset' },
  makes: ['reset', 'refused', 'timeout'],
  promises: [{ service: 'network', text: 'Retries handle the intermittent failures.' }],
});
