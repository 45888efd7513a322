export type InferenceErrorCode =
  | 'INVALID_INPUT'
  | 'UNDECODABLE_IMAGE'
  | 'BODY_TOO_LARGE'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'OUT_OF_MEMORY' // send fewer images at once
  | 'CUDA_ERROR'
  | 'GPU_LOST' // an Xid is latched until the service restarts
  | 'THERMAL_PAUSE'
  | 'INFERENCE_TIMEOUT' // a kernel ran past its deadline
  | 'RESTARTING'
  | 'MODEL_CORRUPTED' // the checksum of the model's file is wrong
  | 'MODEL_VERSION_MISMATCH'
  | 'INTERNAL';

export interface InferenceErrorDetails {
  readonly status: number;
  /** The fault that made it. */
  readonly faultId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Largest batch worth trying after an out-of-memory answer. */
  readonly maxBatchSize?: number | undefined;
}

/** A call that is answered with an error; `status` is the HTTP status. */
export class InferenceError extends Error {
  readonly code: InferenceErrorCode;
  readonly details: InferenceErrorDetails;

  constructor(
    code: InferenceErrorCode,
    message: string,
    details: InferenceErrorDetails,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }
}
