import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

/**
 * Each turn is within 10 % at the client, turns of 100 ms on a busy machine within the lateness of its timers. Turns are
 * counted from the fault's start, so lateness does not add up.
 */
export default defineFaultType({
  type: 'flapping',
  order: 240,
  title: 'Flapping',
  description:
    'The network is off (connections reset, new ones refused), then on, in turns; it begins with off.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({
    offMs: milliseconds('Off', { min: 100, max: 600_000, default: 1000 }, 'How long it is off each time'),
    onMs: milliseconds('On', { min: 100, max: 600_000, default: 3000 }, 'How long it works in between'),
    services: networkTargets,
  }),
  perCall: false,
  rhythm: ({ offMs, onMs }) => ({ activeMs: Number(offMs), dormantMs: Number(onMs) }),
  proxy: { action: 'cut' },
  makes: ['refused', 'reset', 'timeout'],
  promises: [{ service: 'network', text: 'Clients reconnect each time; nothing is lost.' }],
});
