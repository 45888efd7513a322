import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

/** The silence at the client is as long as the fault lasts, within 10 %; what was on its way may pass for some ms. */
export default defineFaultType({
  type: 'partition',
  order: 250,
  title: 'Partition',
  description:
    'Nothing passes to or from the chosen services; connections stay open and silent, and are reset when it ends.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({ services: networkTargets }),
  proxy: { action: 'hold', isolates: true },
  makes: ['timeout', 'reset'],
  promises: [{ service: 'network', text: 'Time-outs open the breakers; work waits and is done later.' }],
});
