import { CachingAllocator } from './caching-allocator.ts';
import type { DeviceMemory } from './device-memory.ts';

/** A process's hold on the card: fixed overhead plus its own allocator. Lost for good when the device is reset. */
export class GpuContext {
  readonly name: string;
  readonly allocator: CachingAllocator;
  readonly overheadBytes: number;
  readonly #device: DeviceMemory;
  #lost = false;
  #corrupted = false;

  /** @param overheadBytes must have been taken from the device already */
  constructor(name: string, device: DeviceMemory, overheadBytes: number) {
    this.name = name;
    this.overheadBytes = overheadBytes;
    this.#device = device;
    this.allocator = new CachingAllocator(device);
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** An error that sticks: every later call in this context fails, and only a restart of the process helps. */
  get corrupted(): boolean {
    return this.#corrupted;
  }

  corrupt(): void {
    this.#corrupted = true;
  }

  /** Gives everything back. Idempotent. */
  close(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.allocator.close();
    this.#device.give(this.overheadBytes);
  }
}
