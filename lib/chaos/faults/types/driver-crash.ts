import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'driver_crash',
  order: 300,
  title: 'Driver crash',
  description: 'The GPU falls off the bus (Xid 79): every inference fails until the services restart.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    mode: z.enum(['latched', 'crash_loop']).default('latched').meta({
      title: 'Mode',
      description: 'Off the bus until the fault ends, or again at the first call after each restart',
    }),
  }),
  perCall: false,
  makes: ['error_reply', 'timeout'],
  promises: [
    { service: 'gpu', text: 'Jobs wait in the fallback queue; the services restart within 5 s of the end.' },
  ],
});
