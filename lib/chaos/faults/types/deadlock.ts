import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const deadlock = defineFaultType({
  type: 'deadlock',
  title: 'Deadlock',
  description: 'Statements that take row or table locks fail as the victim of a deadlock (SQLSTATE 40P01).',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({}),
  defaultRatio: 0.2,
  promises: [{ service: 'database', text: 'Failed writes are tried again and stored once.' }],
});
