import { z } from 'zod';
import { isReadOnly } from '../../proxy/redis/commands.ts';
import { defineFaultType } from '../define.ts';

/** What Redis itself says. */
const ERRORS: Readonly<Record<string, string>> = {
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  READONLY: "READONLY You can't write against a read only replica.",
  LOADING: 'LOADING Redis is loading the dataset in memory',
  BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
};
/** Redis answers these to commands that may write; reads go on. */
const WRITES_ONLY = new Set(['OOM', 'READONLY']);

export default defineFaultType({
  type: 'error_reply',
  order: 100,
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
  proxy: {
    action: 'answer',
    looksAt: (call, { params }) => !WRITES_ONLY.has(String(params['kind'])) || !isReadOnly(call.command),
    redisReply: ({ params }) => ({ error: ERRORS[String(params['kind'])] ?? 'ERR' }),
  },
  makes: ['error_reply', 'reset'],
  promises: [{ service: 'redis', text: 'Caching is skipped; new jobs wait in memory.' }],
});
