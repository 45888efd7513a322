import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'connection_lost',
  order: 150,
  title: 'Connection lost',
  description:
    'The backend is gone when a statement comes; the server rolls its transaction back. The statement, COMMIT included, is not executed, which its client cannot know.',
  plane: 'network',
  services: ['database'],
  params: z.strictObject({
    when: z
      .enum(['in_transaction', 'any'])
      .default('in_transaction')
      .meta({ title: 'When', description: 'Only inside a transaction, or at any statement' }),
    how: z.enum(['terminated', 'reset']).default('terminated').meta({
      title: 'How',
      description: 'As by an administrator (FATAL 57P01, then closed), or as by a crash (reset)',
    }),
  }),
  proxy: {
    action: 'reset',
    looksAt: (call, { params }) =>
      call.sql !== undefined && (params['when'] === 'any' || call.inTransaction === true),
    sqlError: () => ({ sqlState: '57P01', text: 'terminating connection due to administrator command' }),
  },
  makes: ['reset', 'error_reply'],
  promises: [{ service: 'database', text: 'Transactions are repeated whole and stored once.' }],
});
