import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const connectionLeak = defineFaultType({
  type: 'connection_leak',
  title: 'Connection leak',
  description: 'Connections are checked out and forgotten, one after the other, until the fault ends.',
  plane: 'agent',
  services: ['database'],
  injector: 'pipeline',
  params: z.strictObject({
    perMinute: z
      .number()
      .min(1)
      .max(600)
      .default(30)
      .meta({ title: 'Rate', description: 'Connections forgotten', unit: '1/min' }),
  }),
  perCall: false,
  promises: [{ service: 'database', text: 'An alert for each one names where it was checked out.' }],
});
