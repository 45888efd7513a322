import { z } from 'zod';
import { type MalformMode, malform } from '../../proxy/http/malform.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'malformed_response',
  order: 70,
  title: 'Malformed response',
  description: 'The service answers 200 with a body that the client cannot use.',
  plane: 'protocol',
  services: ['yolo26', 'nemotron'],
  params: z.strictObject({
    mode: z
      .enum(['not_json', 'empty', 'truncated', 'missing_score', 'score_out_of_range'])
      .default('not_json')
      .meta({ title: 'Kind', description: 'What is wrong with the body' }),
  }),
  proxy: {
    action: 'malform',
    spoil: ({ body }, { params }) => ({
      status: 200,
      reason: 'OK',
      body: malform(body, params['mode'] as MalformMode),
    }),
  },
  makes: ['malformed'],
  promises: [
    {
      service: 'yolo26',
      text: 'The answer is not believed: the job is tried again, then becomes a dead letter.',
    },
    { service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' },
  ],
});
