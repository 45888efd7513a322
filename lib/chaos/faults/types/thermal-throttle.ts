import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'thermal_throttle',
  order: 290,
  title: 'Thermal throttle',
  description: 'Cooling fails: the card heats up, its clocks fall, and inference pauses at 90 °C.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    sinkFactor: z.number().min(1).max(12).default(4).meta({
      title: 'Heat-sink resistance',
      description: 'Multiplier of the heat-sink resistance; 4 is a stopped fan',
      unit: '×',
    }),
    inletDeltaK: z
      .number()
      .min(0)
      .max(40)
      .default(0)
      .meta({ title: 'Inlet air', description: 'Warmer inlet air', unit: 'K' }),
    tenantUtil: z.number().min(0).max(1).default(1).meta({
      title: 'Tenant load',
      description: 'Utilisation by another tenant that keeps the card busy',
      unit: 'ratio',
    }),
    governor: z
      .boolean()
      .default(true)
      .meta({ title: 'Clock governor', description: 'Off: clocks stay up until the card shuts down' }),
  }),
  perCall: false,
  makes: ['error_reply', 'timeout'],
  promises: [
    { service: 'gpu', text: 'Inference pauses with 503 and Retry-After, and resumes when the flag clears.' },
  ],
});
