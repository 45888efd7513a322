import type { FaultType } from './define.ts';
import type { InjectorName, ServiceName } from './fault.ts';
import { bandwidth } from './types/bandwidth.ts';
import { connectionError } from './types/connection-error.ts';
import { connectionLeak } from './types/connection-leak.ts';
import { connectionLost } from './types/connection-lost.ts';
import { connectionReset } from './types/connection-reset.ts';
import { contextCorruption } from './types/context-corruption.ts';
import { corruptedFile } from './types/corrupted-file.ts';
import { deadlock } from './types/deadlock.ts';
import { deviceIndex } from './types/device-index.ts';
import { disconnect } from './types/disconnect.ts';
import { diskFull } from './types/disk-full.ts';
import { driverCrash } from './types/driver-crash.ts';
import { duplicateUpload } from './types/duplicate-upload.ts';
import { errorReply } from './types/error-reply.ts';
import { fileDeleted } from './types/file-deleted.ts';
import { flapping } from './types/flapping.ts';
import { incompleteUpload } from './types/incomplete-upload.ts';
import { inferenceTimeout } from './types/inference-timeout.ts';
import { intermittent } from './types/intermittent.ts';
import { invalidFormat } from './types/invalid-format.ts';
import { latency } from './types/latency.ts';
import { malformedResponse } from './types/malformed-response.ts';
import { messageLoss } from './types/message-loss.ts';
import { modelCorrupted } from './types/model-corrupted.ts';
import { modelVersionMismatch } from './types/model-version-mismatch.ts';
import { noGpu } from './types/no-gpu.ts';
import { oversizedFile } from './types/oversized-file.ts';
import { packetLoss } from './types/packet-loss.ts';
import { partialBatch } from './types/partial-batch.ts';
import { partition } from './types/partition.ts';
import { permissionDenied } from './types/permission-denied.ts';
import { poolExhaustion } from './types/pool-exhaustion.ts';
import { processKilled } from './types/process-killed.ts';
import { processPaused } from './types/process-paused.ts';
import { publishFailure } from './types/publish-failure.ts';
import { publishTimeout } from './types/publish-timeout.ts';
import { queryError } from './types/query-error.ts';
import { rateLimited } from './types/rate-limited.ts';
import { serverError } from './types/server-error.ts';
import { slowClose } from './types/slow-close.ts';
import { slowQuery } from './types/slow-query.ts';
import { subscriptionFailure } from './types/subscription-failure.ts';
import { thermalThrottle } from './types/thermal-throttle.ts';
import { timeout } from './types/timeout.ts';
import { tooManyConnections } from './types/too-many-connections.ts';
import { unavailable } from './types/unavailable.ts';
import { uploadTimeout } from './types/upload-timeout.ts';
import { vramExhaustion } from './types/vram-exhaustion.ts';
import { vramFragmentation } from './types/vram-fragmentation.ts';

/** Every fault type, in the order in which they are offered. */
export const FAULT_TYPES: readonly FaultType[] = [
  timeout,
  connectionError,
  serverError,
  intermittent,
  latency,
  unavailable,
  malformedResponse,
  rateLimited,
  partialBatch,
  errorReply,
  connectionReset,
  queryError,
  deadlock,
  slowQuery,
  connectionLost,
  tooManyConnections,
  disconnect,
  messageLoss,
  publishFailure,
  publishTimeout,
  subscriptionFailure,
  packetLoss,
  bandwidth,
  flapping,
  partition,
  slowClose,
  vramExhaustion,
  vramFragmentation,
  thermalThrottle,
  driverCrash,
  contextCorruption,
  modelCorrupted,
  modelVersionMismatch,
  inferenceTimeout,
  noGpu,
  deviceIndex,
  incompleteUpload,
  uploadTimeout,
  corruptedFile,
  invalidFormat,
  oversizedFile,
  duplicateUpload,
  diskFull,
  permissionDenied,
  fileDeleted,
  poolExhaustion,
  connectionLeak,
  processKilled,
  processPaused,
];

export function findFaultType(type: string): FaultType | undefined {
  return FAULT_TYPES.find((declared) => declared.type === type);
}

export function faultTypesFor(service: ServiceName): readonly FaultType[] {
  return FAULT_TYPES.filter((declared) => declared.services.includes(service));
}

/** The process in which a fault acts: the proxies, except for what happens inside a process. */
export function injectorFor(service: ServiceName, type: FaultType): InjectorName {
  if (type.injector) return type.injector;
  if (service === 'gpu') return 'inference';
  return 'proxy';
}
