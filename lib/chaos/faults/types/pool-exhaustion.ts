import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'pool_exhaustion',
  order: 460,
  title: 'Pool exhaustion',
  description: "Connections of the pipeline's database pool are really taken and held.",
  plane: 'agent',
  services: ['database'],
  injector: 'pipeline',
  params: z.strictObject({
    connections: z.number().int().min(1).max(10).default(10).meta({
      title: 'Connections',
      description: 'How many are held; the pool has 5, and 5 more under load',
    }),
  }),
  perCall: false,
  makes: ['timeout'],
  promises: [
    { service: 'database', text: 'Check-outs time out and say the figures of the pool; the breaker opens.' },
  ],
});
