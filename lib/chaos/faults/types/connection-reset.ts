import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const connectionReset = defineFaultType({
  type: 'connection_reset',
  title: 'Connection reset',
  description: 'A command that is hit resets its connection and never reaches Redis.',
  plane: 'network',
  services: ['redis'],
  params: z.strictObject({}),
  defaultRatio: 0.1,
  promises: [{ service: 'redis', text: 'Clients reconnect and try again.' }],
});
