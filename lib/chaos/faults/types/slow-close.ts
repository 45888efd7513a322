import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

/** The end comes to the peer within 10 % of the delay, plus the lateness of the machine's timers (some ms). */
export default defineFaultType({
  type: 'slow_close',
  order: 260,
  title: 'Slow close',
  description: 'Connections stay open for a while after their peer has closed them.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({
    delayMs: milliseconds('Delay', { min: 0, max: 60_000, default: 1000 }, 'How long the close is held back'),
    services: networkTargets,
  }),
  proxy: { action: 'linger' },
  makes: ['timeout'],
  promises: [{ service: 'network', text: 'Connections are given back later; nothing is lost.' }],
});
