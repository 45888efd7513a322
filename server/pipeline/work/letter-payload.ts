import type { DeadLetter } from '#lib/chaos/dead-letters/dead-letter.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { HttpStatusError, MalformedAnswerError } from './http-call.ts';

/** What a letter of ours holds beside its error: enough to give the job back. */
export interface LetterPayload {
  retryable: boolean;
  job?: FallbackJob<unknown>;
}

/** A partial file that was never accepted cannot be given back: the camera sends it again. */
export function isRedrivable(letter: DeadLetter): boolean {
  return (letter.payload as LetterPayload).job !== undefined || letter.uploadId !== null;
}

export function describeError(error: unknown): {
  code: string;
  message: string;
  status?: number;
  body?: string;
} {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  const described = { code: typeof code === 'string' ? code : 'UNKNOWN', message };
  if (error instanceof HttpStatusError) return { ...described, status: error.status, body: error.body };
  if (error instanceof MalformedAnswerError) return { ...described, body: error.body };
  return described;
}
