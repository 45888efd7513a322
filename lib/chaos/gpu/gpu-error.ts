/** Why work on the simulated GPU failed. Branch on it, never on the message. */
export type GpuErrorCode =
  | 'OUT_OF_MEMORY'
  | 'NO_DEVICE' // the driver sees no GPU
  | 'GPU_LOST' // an Xid is latched: nothing works until the service restarts
  | 'CONTEXT_CORRUPTED' // a kernel spoilt it: nothing works in it any more
  | 'CONTEXT_LOST'; // the context belongs to the time before a reset

export class GpuError extends Error {
  readonly code: GpuErrorCode;

  constructor(code: GpuErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The figures of a failed allocation, bytes. */
export interface OutOfMemoryFigures {
  readonly triedBytes: number;
  readonly totalBytes: number;
  /** Free on the device, outside every allocator. */
  readonly freeBytes: number;
  readonly allocatedBytes: number;
  readonly reservedBytes: number;
}

/** Worded as PyTorch words it, so that people and log searches recognise it. */
export class OutOfMemoryError extends GpuError {
  readonly figures: OutOfMemoryFigures;

  constructor(figures: OutOfMemoryFigures) {
    const { triedBytes, totalBytes, freeBytes, allocatedBytes, reservedBytes } = figures;
    super(
      'OUT_OF_MEMORY',
      `CUDA out of memory. Tried to allocate ${formatBytes(triedBytes)}. GPU 0 has a total capacity of ` +
        `${formatBytes(totalBytes)} of which ${formatBytes(freeBytes)} is free. Of the allocated memory ` +
        `${formatBytes(allocatedBytes)} is allocated by PyTorch, and ` +
        `${formatBytes(reservedBytes - allocatedBytes)} is reserved by PyTorch but unallocated.`,
    );
    this.figures = figures;
  }
}

function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  return `${(bytes / 2 ** 10).toFixed(2)} KiB`;
}
