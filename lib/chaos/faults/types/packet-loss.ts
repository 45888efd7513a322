import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export const packetLoss = defineFaultType({
  type: 'packet_loss',
  title: 'Packet loss',
  description: 'A share of the requests loses its connection by a reset.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({ services: networkTargets }),
  defaultRatio: 0.1,
  promises: [{ service: 'network', text: 'Retries handle the intermittent failures.' }],
});
