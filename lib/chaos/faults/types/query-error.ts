import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'query_error',
  order: 120,
  title: 'Query error',
  description: 'Queries fail in the server with a chosen SQLSTATE; a transaction is aborted on both sides.',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({
    sqlState: z
      .string()
      .regex(
        /^(?!00|01|02)[0-9A-Z]{5}$/,
        'a SQLSTATE of an error: five of 0-9 and A-Z, not of class 00, 01 or 02',
      )
      .default('40001')
      .meta({ title: 'SQLSTATE', description: 'Five characters, for example 40001 (serialization failure)' }),
  }),
  proxy: {
    action: 'answer',
    sqlError: ({ type, params }) => ({
      sqlState: String(params['sqlState']),
      text: `injected by fault ${type}`,
    }),
  },
  makes: ['error_reply', 'timeout', 'reset'], // by the SQLSTATE that was chosen
  promises: [{ service: 'database', text: 'Failed writes are tried again and stored once.' }],
});
