import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'dns_failure',
  order: 225,
  title: 'DNS failure',
  description:
    'Names of the services are not resolved, so that new connections fail; open ones go on as if nothing were.',
  plane: 'network',
  services: ['network'],
  params: z.strictObject({
    answer: z.enum(['SERVFAIL', 'NXDOMAIN', 'none', 'late']).default('SERVFAIL').meta({
      title: 'Answer',
      description:
        'What the name server says: it failed (clients see EAI_AGAIN), there is no such name (ENOTFOUND), nothing at all, or the right address, but late',
    }),
    delayMs: milliseconds(
      'Delay',
      { min: 0, max: 60_000, default: 0 },
      'Wait before the answer; clients give up after 5 s (EAI_AGAIN)',
    ),
    services: networkTargets,
  }),
  matches: [],
  makes: ['unresolved', 'timeout', 'reset'],
  promises: [
    {
      service: 'network',
      text: 'What is connected goes on; what must connect anew fails fast, is tried again, and nothing is lost.',
    },
  ],
});
