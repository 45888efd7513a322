import type { Allocation, CachingAllocator } from './caching-allocator.ts';
import { type DeviceMemory, MIB } from './device-memory.ts';

/** Something that takes memory away as time passes. Sizes in bytes. */
export interface MemoryPressure {
  /** Takes what is due for this much time. */
  advance(elapsedMs: number): void;
  /** Gives back what can be given back. */
  release(): void;
  /** What it holds outside every allocator. */
  readonly tenantBytes: number;
}

export interface PressureOptions {
  /** How fast memory is taken, MiB/s. */
  rateMibPerSecond: number;
  /** Taking stops at this much free memory, MiB. */
  targetFreeMib: number;
}

/** Whole pages, as a driver maps them. */
const PAGE_BYTES = 2 * MIB;

/** Pages that fit into `bytes`, in bytes. */
function wholePages(bytes: number): number {
  return Math.max(0, Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES);
}

/** Turns a rate into whole pages, keeping the rest for the next call. */
class PagePace {
  readonly #bytesPerMs: number;
  #dueBytes = 0;

  constructor(rateMibPerSecond: number) {
    this.#bytesPerMs = (rateMibPerSecond * MIB) / 1000;
  }

  /** @param roomBytes never take more than this */
  take(elapsedMs: number, roomBytes: number): number {
    this.#dueBytes += this.#bytesPerMs * elapsedMs;
    const pages = wholePages(this.#dueBytes);
    this.#dueBytes -= pages;
    return Math.min(pages, wholePages(roomBytes));
  }
}

/** Another process on the card. It can take what is free, never what our allocators hold in their caches. */
export class NeighbourPressure implements MemoryPressure {
  readonly #device: DeviceMemory;
  readonly #targetBytes: number;
  readonly #pace: PagePace;
  tenantBytes = 0;

  constructor(device: DeviceMemory, options: PressureOptions) {
    this.#device = device;
    this.#targetBytes = options.targetFreeMib * MIB;
    this.#pace = new PagePace(options.rateMibPerSecond);
  }

  advance(elapsedMs: number): void {
    const bytes = this.#pace.take(elapsedMs, this.#device.freeBytes - this.#targetBytes);
    if (bytes > 0 && this.#device.take(bytes)) this.tenantBytes += bytes;
  }

  release(): void {
    this.#device.give(this.tenantBytes);
    this.tenantBytes = 0;
  }
}

/** A leak in one of our own processes: it eats that process's cache too, and stays until the process restarts. */
export class LeakPressure implements MemoryPressure {
  readonly #device: DeviceMemory;
  readonly #allocator: CachingAllocator;
  readonly #targetBytes: number;
  readonly #pace: PagePace;
  readonly tenantBytes = 0;

  constructor(device: DeviceMemory, allocator: CachingAllocator, options: PressureOptions) {
    this.#device = device;
    this.#allocator = allocator;
    this.#targetBytes = options.targetFreeMib * MIB;
    this.#pace = new PagePace(options.rateMibPerSecond);
  }

  advance(elapsedMs: number): void {
    if (this.#allocator.closed) return; // the process that leaked has ended
    const room = this.#device.freeBytes + this.#allocator.releasableBytes - this.#targetBytes;
    const bytes = this.#pace.take(elapsedMs, room);
    if (bytes > 0) this.#allocator.allocate(bytes);
  }

  release(): void {}
}

/** One large allocation in one of our own processes, made at once and freed at the end. */
export class SpikePressure implements MemoryPressure {
  readonly #allocator: CachingAllocator;
  #allocation: Allocation | undefined;
  readonly tenantBytes = 0;

  constructor(device: DeviceMemory, allocator: CachingAllocator, targetFreeMib: number) {
    this.#allocator = allocator;
    const bytes = wholePages(device.freeBytes + allocator.releasableBytes - targetFreeMib * MIB);
    if (bytes > 0) this.#allocation = allocator.allocate(bytes);
  }

  advance(): void {}

  release(): void {
    if (!this.#allocation || !this.#allocator.holds(this.#allocation)) return;
    this.#allocator.free(this.#allocation);
    this.#allocation = undefined;
    this.#allocator.emptyCache();
  }
}

/** Below the allocator's own limit for segments of their own, so that four share one of 20 MiB. */
const PIECE_BYTES = 5 * MIB;
const PIECES_IN_SEGMENT = 4;

/**
 * Small pieces in one of our own processes, one in every 20 MiB segment: none of these can be given back, and none
 * holds an image. What a long run of requests of changing size does to an allocator, done at once.
 */
export class FragmentPressure implements MemoryPressure {
  readonly #device: DeviceMemory;
  readonly #allocator: CachingAllocator;
  readonly #targetBytes: number;
  #pinned: Allocation[] = [];
  readonly tenantBytes = 0;

  constructor(device: DeviceMemory, allocator: CachingAllocator, targetFreeMib: number) {
    this.#device = device;
    this.#allocator = allocator;
    this.#targetBytes = targetFreeMib * MIB;
    this.advance();
  }

  /** What a batch held when it began is fragmented as it comes back. */
  advance(): void {
    const allocator = this.#allocator;
    if (allocator.closed || !this.#isRoom(allocator.releasableBytes)) return;
    allocator.emptyCache();
    const between: Allocation[] = [];
    while (this.#isRoom(0)) {
      // Those that fill up an older segment are not needed there: its first piece is pinned.
      const piece = allocator.allocate(PIECE_BYTES);
      if (piece.offset === 0) this.#pinned.push(piece);
      else between.push(piece);
    }
    for (const piece of between) allocator.free(piece);
  }

  #isRoom(releasableBytes: number): boolean {
    const roomBytes = this.#device.freeBytes + releasableBytes - this.#targetBytes;
    return roomBytes >= PIECE_BYTES * PIECES_IN_SEGMENT;
  }

  release(): void {
    for (const piece of this.#pinned) if (this.#allocator.holds(piece)) this.#allocator.free(piece);
    this.#pinned = [];
    this.#allocator.emptyCache();
  }
}
