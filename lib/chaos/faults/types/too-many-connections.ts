import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const tooManyConnections = defineFaultType({
  type: 'too_many_connections',
  title: 'Too many connections',
  description: 'New connections are refused at start-up with SQLSTATE 53300; open ones work on.',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({}),
  promises: [{ service: 'database', text: 'Pooled connections work on; new ones are tried again.' }],
});
