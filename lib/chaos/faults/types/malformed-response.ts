import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const malformedResponse = defineFaultType({
  type: 'malformed_response',
  title: 'Malformed response',
  description: 'The service answers 200 with a body that the client cannot use.',
  plane: 'protocol',
  services: ['yolo26', 'nemotron'],
  params: z.strictObject({
    mode: z
      .enum(['not_json', 'truncated', 'missing_score', 'score_out_of_range'])
      .default('not_json')
      .meta({ title: 'Kind', description: 'What is wrong with the body' }),
  }),
  promises: [{ service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' }],
});
