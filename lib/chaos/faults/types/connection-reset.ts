import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'connection_reset',
  order: 110,
  title: 'Connection reset',
  description: 'A command that is hit resets its connection and never reaches Redis.',
  plane: 'network',
  services: ['redis'],
  params: z.strictObject({}),
  defaultRatio: 0.1,
  proxy: { action: 'reset' },
  makes: ['reset', 'refused', 'timeout'],
  promises: [{ service: 'redis', text: 'Clients reconnect and try again.' }],
});
