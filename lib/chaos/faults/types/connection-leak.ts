import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'connection_leak',
  order: 470,
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
  makes: ['timeout'],
  promises: [{ service: 'database', text: 'An alert for each one names where it was checked out.' }],
});
