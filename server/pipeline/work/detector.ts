import { z } from 'zod';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import type { Detection } from '../contracts.ts';
import {
  type HttpAnswer,
  HttpStatusError,
  HttpTimeoutError,
  httpCall,
  MalformedAnswerError,
} from './http-call.ts';
import { type MultipartPart, multipart } from './multipart.ts';

/** A frame as the detector wants it. */
export interface Frame {
  id: string;
  camera: string;
  name: string;
  /** Epoch ms. */
  capturedAt: number | null;
  traceId: string;
  bytes: Buffer;
}

export interface DetectionResult {
  detections: Detection[];
  inferenceTimeMs: number;
  imageWidth: number;
  imageHeight: number;
  /** The detector has not yet learnt this camera's background: to be detected again. */
  warmingUp: boolean;
}

/** A frame's own outcome inside a batch that succeeded as a call. */
export type FrameOutcome =
  | { ok: true; result: DetectionResult }
  | { ok: false; status: number; code: string; message: string };

/** Why the detector did not serve a call. */
export type UnavailableReason = 'timeout' | 'unreachable' | 'server_error';

/**
 * The detector timed out, could not be reached, or answered 5xx; `cause` is that failure as it was.
 *
 * Frames of a time-out are stored without detections and owed a re-detection; the others wait.
 */
export class DetectorUnavailableError extends Error {
  readonly reason: UnavailableReason;
  /** Of the cause, for example DEADLINE_EXCEEDED, ECONNREFUSED or HTTP_STATUS. */
  readonly code: string;

  constructor(reason: UnavailableReason, message: string, cause: unknown) {
    super(message, { cause });
    this.name = new.target.name;
    this.reason = reason;
    this.code = codeOf(cause);
  }
}

const resultSchema = z.object({
  detections: z.array(
    z.object({
      class: z.string(),
      confidence: z.number().min(0).max(1),
      bbox: z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() }),
    }),
  ),
  inference_time_ms: z.number(),
  image_width: z.number().int(),
  image_height: z.number().int(),
  warming_up: z.boolean().optional(),
});

const itemErrorSchema = z.object({
  error: z.object({ code: z.string().optional(), message: z.string().optional() }),
  status: z.number().int().optional(),
});

const batchSchema = z.object({
  results: z.array(z.unknown()),
  max_batch_size: z.number().int().min(1).optional().catch(undefined),
});

export interface DetectorOptions extends DependencyAddress {
  connectMs: number;
}

/** Client of `POST /detect` and `/detect/batch`. It knows nothing of breakers and retries. */
export class Detector {
  readonly #options: DetectorOptions;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  /**
   * Detects one frame, or several in one call; outcomes come in the order of the frames. `onTooMany` is told how many at
   * once the detector would rather be sent, when these were more.
   * @throws {DetectorUnavailableError} after `timeoutMs`, when it cannot be reached, and for a status from 500
   * @throws {HttpStatusError} when the call as a whole was refused (4xx), {MalformedAnswerError}
   */
  async detect(
    frames: readonly Frame[],
    timeoutMs: number,
    onTooMany: (batchSize: number) => void = () => {},
  ): Promise<FrameOutcome[]> {
    const [only] = frames;
    if (!only) return [];
    if (frames.length === 1) {
      const answer = await this.#post(
        '/detect',
        [filePart('file', only), ...describe(only)],
        frames,
        timeoutMs,
      );
      return [{ ok: true, result: readResult('POST /detect', answer, parseJson('POST /detect', answer)) }];
    }
    const parts = frames.flatMap((frame) => [filePart('files', frame), ...describe(frame)]);
    const answer = await this.#post('/detect/batch', parts, frames, timeoutMs);
    return readBatch(answer, frames.length, onTooMany);
  }

  async #post(
    path: string,
    parts: readonly MultipartPart[],
    frames: readonly Frame[],
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const { body, contentType } = multipart(parts);
    let answer: HttpAnswer;
    try {
      const traceIds = frames.map((frame) => frame.traceId).join(',');
      const headers = { 'content-type': contentType, 'x-trace-id': traceIds };
      answer = await httpCall({ ...this.#options, method: 'POST', path, headers, body, timeoutMs });
    } catch (error) {
      throw unavailable(error, timeoutMs);
    }
    if (answer.status >= 500) throw unavailable(new HttpStatusError(`POST ${path}`, answer), timeoutMs);
    if (answer.status >= 400) throw new HttpStatusError(`POST ${path}`, answer);
    return answer;
  }
}

function unavailable(cause: unknown, timeoutMs: number): DetectorUnavailableError {
  if (cause instanceof HttpTimeoutError) {
    return new DetectorUnavailableError(
      'timeout',
      `The detector did not answer within ${timeoutMs} ms`,
      cause,
    );
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return cause instanceof HttpStatusError
    ? new DetectorUnavailableError('server_error', `The detector failed: ${why}`, cause)
    : new DetectorUnavailableError('unreachable', `The detector cannot be reached: ${why}`, cause);
}

function codeOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : 'UNREACHABLE';
}

function filePart(name: string, frame: Frame): MultipartPart {
  return { name, filename: frame.name || `${frame.id}.jpg`, content: frame.bytes };
}

function describe(frame: Frame): MultipartPart[] {
  const capturedAt = frame.capturedAt === null ? '' : new Date(frame.capturedAt).toISOString();
  return [
    { name: 'camera_id', content: frame.camera },
    { name: 'captured_at', content: capturedAt },
  ];
}

function parseJson(what: string, answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch (cause) {
    throw new MalformedAnswerError(what, answer, { cause });
  }
}

function readResult(what: string, answer: HttpAnswer, value: unknown): DetectionResult {
  const parsed = resultSchema.safeParse(value);
  if (!parsed.success) throw new MalformedAnswerError(what, answer, { cause: parsed.error });
  const { detections, inference_time_ms, image_width, image_height, warming_up } = parsed.data;
  return {
    detections,
    inferenceTimeMs: inference_time_ms,
    imageWidth: image_width,
    imageHeight: image_height,
    warmingUp: warming_up ?? false,
  };
}

function readBatch(
  answer: HttpAnswer,
  expected: number,
  onTooMany: (batchSize: number) => void,
): FrameOutcome[] {
  const what = 'POST /detect/batch';
  const batch = batchSchema.safeParse(parseJson(what, answer));
  if (!batch.success || batch.data.results.length !== expected) throw new MalformedAnswerError(what, answer);
  if (batch.data.max_batch_size !== undefined) onTooMany(batch.data.max_batch_size);
  return batch.data.results.map((item): FrameOutcome => {
    const failed = itemErrorSchema.safeParse(item);
    if (!failed.success) return { ok: true, result: readResult(what, answer, item) };
    const { error, status = 500 } = failed.data;
    return { ok: false, status, code: error.code ?? 'ITEM_FAILED', message: error.message ?? 'item failed' };
  });
}
