import { z } from 'zod';
import type { ViewerEventChange } from '#lib/protocol/viewers.ts';

const detectionSchema = z.object({
  class: z.string(),
  confidence: z.number(),
  bbox: z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() }),
});

const eventSchema = z.object({
  id: z.string(),
  seq: z.number(),
  camera: z.string(),
  startedAt: z.number(),
  endedAt: z.number(),
  riskScore: z.number(),
  riskLevel: z.enum(['low', 'medium', 'high', 'critical']),
  riskSource: z.enum(['llm', 'cache', 'object_estimate', 'default']),
  summary: z.string(),
  reasoning: z.string(),
  degraded: z.boolean(),
  uploads: z.array(
    z.object({
      id: z.string(),
      detections: z.array(detectionSchema),
      degraded: z.boolean(),
      capturedAt: z.number().nullable(),
    }),
  ),
  createdAt: z.number(),
  updatedAt: z.number(),
  traceId: z.string(),
});

const eventMessageSchema = z.object({ change: z.enum(['created', 'updated']), event: eventSchema });

/** An event on its way to viewers, as it travels through Redis and lies in the file of kept events. */
export type EventMessage = Omit<ViewerEventChange, 'via'>;

/** @throws {Error} when the text is not such a message */
export function parseEventMessage(text: string): EventMessage {
  return eventMessageSchema.parse(JSON.parse(text));
}
