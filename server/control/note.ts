import { z } from 'zod';
import type { FactData } from '../../lib/protocol/facts.ts';

export const noteSchema = z.strictObject({
  text: z.string().trim().min(1).max(500),
  /** How long ago its writing was begun, by a clock that does not jump; ms. */
  agoMs: z.number().int().min(0).max(600_000).optional(),
});

/** What a note says: it belongs to the moment at which somebody began to write it. */
export function noteData(by: string, { text, agoMs }: z.infer<typeof noteSchema>): FactData['note'] {
  return { by, text, ...(agoMs === undefined ? {} : { begunAt: Date.now() - agoMs }) };
}
