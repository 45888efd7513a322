import { z } from 'zod';
import { takesLocks } from '../../proxy/postgres/sql.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'deadlock',
  order: 130,
  title: 'Deadlock',
  description: 'Statements that take row or table locks fail as the victim of a deadlock (SQLSTATE 40P01).',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({}),
  defaultRatio: 0.2,
  proxy: {
    action: 'answer',
    looksAt: (call) => takesLocks(call.sql ?? ''),
    sqlError: () => ({ sqlState: '40P01', text: 'deadlock detected' }),
  },
  makes: ['error_reply'],
  promises: [{ service: 'database', text: 'Failed writes are tried again and stored once.' }],
});
