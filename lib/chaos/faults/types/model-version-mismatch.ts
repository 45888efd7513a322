import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'model_version_mismatch',
  order: 330,
  title: 'Model version mismatch',
  description: 'The model file on disk is a whole one of another version, and its service reloads it.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    model: z
      .enum(['yolo26', 'nemotron'])
      .default('yolo26')
      .meta({ title: 'Model', description: 'Whose file is replaced' }),
    version: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[\w.-]+$/)
      .default('2025.3')
      .meta({ title: 'Version found', description: 'Letters, digits, dots and hyphens' }),
  }),
  perCall: false,
  makes: ['error_reply'],
  promises: [{ service: 'gpu', text: 'The service refuses to serve and names both versions.' }],
});
