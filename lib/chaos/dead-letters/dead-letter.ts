import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Longest body of an answer that is kept, characters. */
export const BODY_MAX = 2048;

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  status: z.number().optional(),
  body: z.string().optional(),
});

/** A job that nobody will try again by itself, as it is kept and shown. Times epoch ms. */
export const deadLetterSchema = z.object({
  id: z.string(),
  queue: z.string(),
  uploadId: z.string().nullable(),
  error: errorSchema,
  /** Attempts in total, those after a re-drive included. */
  attempts: z.number(),
  /** Waits before each attempt after the first, ms; the newest 50. */
  delaysMs: z.array(z.number()),
  firstFailedAt: z.number(),
  lastFailedAt: z.number(),
  /** In force when it failed. */
  faultIds: z.array(z.string()),
  traceId: z.string(),
  signature: z.string(),
  payload: z.unknown(),
  /** How often it was given back to its queue. */
  redrives: z.number(),
  /** The upload with which its sender tried again, and which was accepted. */
  resentAs: z.string().optional(),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

/** What a writer gives. `key` names the job: the same key again is the same letter. */
export interface DeadLetterInput {
  readonly key: string;
  readonly queue: string;
  readonly uploadId: string | null;
  readonly error: z.infer<typeof errorSchema>;
  /** Attempts made since it was last in this store. @default 1 */
  readonly attempts?: number;
  /** @default [] */
  readonly delaysMs?: readonly number[];
  /** @default now */
  readonly firstFailedAt?: number;
  /** @default now */
  readonly lastFailedAt?: number;
  /** @default [] */
  readonly faultIds?: readonly string[];
  readonly traceId: string;
  readonly payload: unknown;
}

/** The id of a key: safe in a URL, the same in every process. */
export function deadLetterId(key: string): string {
  return `dl_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
}
