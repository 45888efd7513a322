import { type DeviceMemory, MIB } from './device-memory.ts';
import { OutOfMemoryError } from './gpu-error.ts';

/** Sizes in bytes; the values are those of PyTorch's CUDACachingAllocator. */
export interface CachingAllocatorOptions {
  /** Requests are rounded up to a multiple of this. @default 512 */
  roundBytes: number;
  /** Largest request served from the small pool. @default 1 MiB */
  smallMaxBytes: number;
  /** Segment of the small pool. @default 2 MiB */
  smallSegmentBytes: number;
  /** Requests from here on get a segment of their own. @default 10 MiB */
  largeMinBytes: number;
  /** Segment of requests above small and below large. @default 20 MiB */
  mediumSegmentBytes: number;
  /** A large request's segment is rounded up to a multiple of this. @default 2 MiB */
  largeRoundBytes: number;
}

const CACHING_ALLOCATOR_DEFAULTS: CachingAllocatorOptions = {
  roundBytes: 512,
  smallMaxBytes: MIB,
  smallSegmentBytes: 2 * MIB,
  largeMinBytes: 10 * MIB,
  mediumSegmentBytes: 20 * MIB,
  largeRoundBytes: 2 * MIB,
};

type Pool = 'small' | 'large';

interface Segment {
  readonly id: number;
  readonly pool: Pool;
  readonly bytes: number;
  /** In order of offset; together they cover the segment. */
  blocks: Block[];
}

interface Block {
  readonly segment: Segment;
  offset: number;
  bytes: number;
  free: boolean;
}

/** A piece of memory in use. Opaque to callers; the numbers say where it lies. */
export interface Allocation {
  readonly segmentId: number;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * One process's allocator: keeps what was freed, to hand it out again without asking the driver.
 *
 *     allocate → best fitting cached block → new segment → free one fitting cached segment, retry
 *              → free all cached segments, retry → out of memory
 *
 * `reserved` is what it holds of the device, `allocated` what of that is in use. A segment that is used in part
 * cannot be given back, so a request can fail although the sum of free memory would hold it.
 */
export class CachingAllocator {
  readonly #device: DeviceMemory;
  readonly #options: CachingAllocatorOptions;
  readonly #segments = new Set<Segment>();
  readonly #live = new Map<Allocation, Block>();
  #closed = false;
  #allocatedBytes = 0;
  #reservedBytes = 0;
  #nextSegment = 0;

  constructor(device: DeviceMemory, options: Partial<CachingAllocatorOptions> = {}) {
    this.#device = device;
    this.#options = { ...CACHING_ALLOCATOR_DEFAULTS, ...options };
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Largest request that cached memory alone could serve, bytes. */
  get largestCachedBytes(): number {
    let largest = 0;
    for (const segment of this.#segments) {
      for (const block of segment.blocks) if (block.free && block.bytes > largest) largest = block.bytes;
    }
    return largest;
  }

  /** Cached memory that `emptyCache` would give back, bytes. */
  get releasableBytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) if (isIdle(segment)) bytes += segment.bytes;
    return bytes;
  }

  /** Whether this piece is still in use here: a process that restarted has given everything back. */
  holds(allocation: Allocation): boolean {
    return this.#live.has(allocation);
  }

  /** Everything in use, in no particular order. */
  allocations(): Allocation[] {
    return [...this.#live.keys()];
  }

  /**
   * @param bytes above 0
   * @throws {OutOfMemoryError} when neither cache nor device can hold it; nothing is then taken
   */
  allocate(bytes: number): Allocation {
    if (!(bytes > 0)) throw new RangeError(`Expected bytes to be above 0, got ${bytes}`);
    const size = roundUp(bytes, this.#options.roundBytes);
    const pool: Pool = size <= this.#options.smallMaxBytes ? 'small' : 'large';
    const block = this.#bestFit(pool, size) ?? this.#newSegment(pool, size);
    if (!block) {
      throw new OutOfMemoryError({
        triedBytes: size,
        totalBytes: this.#device.totalBytes,
        freeBytes: this.#device.freeBytes,
        allocatedBytes: this.#allocatedBytes,
        reservedBytes: this.#reservedBytes,
      });
    }
    this.#split(block, size);
    block.free = false;
    this.#allocatedBytes += block.bytes;
    const allocation: Allocation = {
      segmentId: block.segment.id,
      offset: block.offset,
      bytes: block.bytes,
    };
    this.#live.set(allocation, block);
    return allocation;
  }

  /** @throws {RangeError} for what is not in use here (freed twice, another allocator's) */
  free(allocation: Allocation): void {
    const block = this.#live.get(allocation);
    if (!block) throw new RangeError('Expected an allocation that is in use');
    this.#live.delete(allocation);
    this.#allocatedBytes -= block.bytes;
    block.free = true;
    mergeNeighbours(block);
  }

  /** Gives every wholly free segment back to the device; says how many bytes that was. */
  emptyCache(): number {
    let bytes = 0;
    for (const segment of this.#segments) {
      if (!isIdle(segment)) continue;
      this.#release(segment);
      bytes += segment.bytes;
    }
    return bytes;
  }

  /** Its process has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Gives everything back, in use or not: what the end of the process does. */
  close(): void {
    this.#closed = true;
    for (const segment of this.#segments) this.#release(segment);
    this.#live.clear();
    this.#allocatedBytes = 0;
  }

  #bestFit(pool: Pool, size: number): Block | undefined {
    let best: Block | undefined;
    for (const segment of this.#segments) {
      if (segment.pool !== pool) continue;
      for (const block of segment.blocks) {
        if (block.free && block.bytes >= size && (!best || block.bytes < best.bytes)) best = block;
      }
    }
    return best;
  }

  #newSegment(pool: Pool, size: number): Block | undefined {
    const bytes = this.#segmentBytes(pool, size);
    if (!this.#device.take(bytes)) {
      this.#releaseOne(bytes);
      if (!this.#device.take(bytes)) {
        this.emptyCache();
        if (!this.#device.take(bytes)) return undefined;
      }
    }
    const segment: Segment = { id: this.#nextSegment++, pool, bytes, blocks: [] };
    const block: Block = { segment, offset: 0, bytes, free: true };
    segment.blocks.push(block);
    this.#segments.add(segment);
    this.#reservedBytes += bytes;
    return block;
  }

  #segmentBytes(pool: Pool, size: number): number {
    const { smallSegmentBytes, largeMinBytes, mediumSegmentBytes, largeRoundBytes } = this.#options;
    if (pool === 'small') return smallSegmentBytes;
    return size < largeMinBytes ? mediumSegmentBytes : roundUp(size, largeRoundBytes);
  }

  /** Gives back the smallest cached segment that makes room for `bytes`. */
  #releaseOne(bytes: number): void {
    let fitting: Segment | undefined;
    for (const segment of this.#segments) {
      if (!isIdle(segment) || this.#device.freeBytes + segment.bytes < bytes) continue;
      if (!fitting || segment.bytes < fitting.bytes) fitting = segment;
    }
    if (fitting) this.#release(fitting);
  }

  #release(segment: Segment): void {
    this.#segments.delete(segment);
    this.#reservedBytes -= segment.bytes;
    this.#device.give(segment.bytes);
  }

  /** What is left of a block stays usable when it is worth keeping: any 512 B of a small one, over 1 MiB of a large one. */
  #split(block: Block, size: number): void {
    const restBytes = block.bytes - size;
    const { roundBytes, smallMaxBytes } = this.#options;
    const worthIt = block.segment.pool === 'small' ? restBytes >= roundBytes : restBytes > smallMaxBytes;
    if (!worthIt) return;
    const { blocks } = block.segment;
    const rest: Block = {
      segment: block.segment,
      offset: block.offset + size,
      bytes: restBytes,
      free: true,
    };
    block.bytes = size;
    blocks.splice(blocks.indexOf(block) + 1, 0, rest);
  }
}

function roundUp(bytes: number, step: number): number {
  return Math.ceil(bytes / step) * step;
}

function isIdle(segment: Segment): boolean {
  return segment.blocks.length === 1 && segment.blocks[0]?.free === true;
}

function mergeNeighbours(block: Block): void {
  const { blocks } = block.segment;
  const index = blocks.indexOf(block);
  const next = blocks[index + 1];
  if (next?.free) {
    block.bytes += next.bytes;
    blocks.splice(index + 1, 1);
  }
  const previous = blocks[index - 1];
  if (previous?.free) {
    previous.bytes += block.bytes;
    blocks.splice(index, 1);
  }
}
