import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'too_many_connections',
  order: 160,
  title: 'Too many connections',
  description: 'New connections are refused at start-up with SQLSTATE 53300; open ones work on.',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({}),
  matches: [],
  proxy: {
    action: 'answer',
    looksAt: (call) => call.kind === 'connect',
    sqlError: () => ({ sqlState: '53300', text: 'sorry, too many clients already' }),
  },
  makes: ['error_reply', 'timeout', 'reset'],
  promises: [{ service: 'database', text: 'Pooled connections work on; new ones are tried again.' }],
});
