import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const errorReply = defineFaultType({
  type: 'error_reply',
  title: 'Redis error reply',
  description:
    "Commands are answered with one of Redis' own errors. OOM and READONLY hit what may write; the others, every command.",
  plane: 'protocol',
  services: ['redis'],
  params: z.strictObject({
    kind: z
      .enum(['OOM', 'READONLY', 'LOADING', 'BUSY', 'MASTERDOWN'])
      .default('OOM')
      .meta({ title: 'Error', description: 'Which error, in the words of Redis' }),
  }),
  promises: [{ service: 'redis', text: 'Caching is skipped; new jobs wait in memory.' }],
});
