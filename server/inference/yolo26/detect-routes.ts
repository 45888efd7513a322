import type { IncomingMessage } from 'node:http';
import type { Logger } from '../../logging.ts';
import type { GpuHost } from '../gpu-host.ts';
import { healthAnswer } from '../health.ts';
import { errorBody, failureAnswer, type HttpAnswer, type Routes } from '../http-service.ts';
import { InferenceError } from '../inference-error.ts';
import { MODELS } from '../inference-profile.ts';
import { type Multipart, type MultipartLimits, readMultipart } from '../multipart-upload.ts';
import type { DetectionService, Upload } from './detection-service.ts';

/** As large as what the pipeline accepts; four full batches at once. */
const UPLOAD_LIMITS: MultipartLimits = { fileBytes: 50 * 2 ** 20, files: 32 };

/** `POST /detect`, `POST /detect/batch`, `GET /health`. */
export function detectRoutes(
  service: DetectionService,
  host: GpuHost,
  logger: Logger,
  limits: MultipartLimits = UPLOAD_LIMITS,
): Routes {
  return {
    'POST /detect': async (request, signal) => {
      const [upload] = await readUploads(request, 'file', limits);
      if (!upload) throw missing('file');
      const { outcomes, faultId } = await service.detect([upload], '/detect', signal);
      const [outcome] = outcomes;
      if (!outcome || outcome instanceof InferenceError) return failureAnswer(outcome, logger);
      const log = { images: 1, detections: outcome.detections.length, device: outcome.device };
      return { status: 200, body: outcome, faultId, log };
    },
    'POST /detect/batch': async (request, signal) => {
      const uploads = await readUploads(request, 'files', limits);
      if (uploads.length === 0) throw missing('files');
      const { outcomes, faultId } = await service.detect(uploads, '/detect/batch', signal);
      return batchAnswer(outcomes, faultId, host, logger);
    },
    'GET /health': async () =>
      healthAnswer(host, 'yolo26', {
        model: 'yolo26',
        model_version: MODELS.yolo26.version,
        max_batch_size: MODELS.yolo26.maxBatchSize,
        batch_size: host.batchSize,
      }),
  };
}

type Outcomes = Awaited<ReturnType<DetectionService['detect']>>['outcomes'];

/**
 * 200 when all went well, 207 with each item's own outcome, or the common error when the card refused every item.
 * `max_batch_size` says when so many at once are more than the card takes for now: they were run in parts.
 */
function batchAnswer(
  outcomes: Outcomes,
  faultId: string | undefined,
  host: GpuHost,
  logger: Logger,
): HttpAnswer {
  const errors = outcomes.filter((outcome) => outcome instanceof InferenceError);
  const refused = errors.length === outcomes.length && errors.every(({ details }) => details.status >= 500);
  const [first] = errors;
  if (refused && first) {
    const maxBatchSize = first.code === 'OUT_OF_MEMORY' ? host.batchLimit.current : undefined;
    const details = { ...first.details, maxBatchSize };
    return failureAnswer(new InferenceError(first.code, first.message, details, { cause: first }), logger);
  }
  const results = outcomes.map((outcome, index) =>
    outcome instanceof InferenceError ? { index, ...errorBody(outcome) } : { index, ...outcome },
  );
  const limit = host.batchLimit.current;
  return {
    status: errors.length > 0 ? 207 : 200,
    body: { results, ...(limit < outcomes.length && { max_batch_size: limit }) },
    faultId: faultId ?? errors.find(({ details }) => details.faultId)?.details.faultId,
    log: { images: outcomes.length, failed: errors.length },
  };
}

async function readUploads(
  request: IncomingMessage,
  field: string,
  limits: MultipartLimits,
): Promise<Upload[]> {
  const multipart = await readMultipart(request, limits);
  const files = multipart.files.filter((file) => file.field === field);
  return files.map(({ bytes }, index) => ({
    bytes,
    cameraId: nth(multipart, 'camera_id', index) ?? '',
    capturedAt: readTime(nth(multipart, 'captured_at', index)),
  }));
}

function nth({ fields }: Multipart, name: string, index: number): string | undefined {
  return fields.get(name)?.[index];
}

/** ISO 8601 or epoch ms; absent or empty is undefined. */
function readTime(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const time = /^\d+$/.test(text.trim()) ? Number(text) : Date.parse(text);
  if (Number.isFinite(time)) return time;
  const message = `Expected captured_at to be ISO 8601 or epoch ms, got "${text.slice(0, 100)}"`;
  throw new InferenceError('INVALID_INPUT', message, { status: 400 });
}

function missing(field: string): InferenceError {
  return new InferenceError('INVALID_INPUT', `Expected a file in the field "${field}"`, { status: 400 });
}
