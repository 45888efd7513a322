import { EventEmitter } from 'node:events';
import { type Clock, sleep, systemClock } from '../clock.ts';
import { ClockEventLog, type ClockEventTimes } from './clock-event-log.ts';
import { CLOCK_EVENTS, throttleWords } from './clock-events.ts';
import { DeviceMemory, MIB } from './device-memory.ts';
import { GpuContext } from './gpu-context.ts';
import { GpuError, OutOfMemoryError } from './gpu-error.ts';
import type { MemoryPressure } from './memory-pressure.ts';
import { type Cooling, THERMAL_DEFAULTS, ThermalModel, type ThermalOptions } from './thermal-model.ts';
import { makeXid, type Xid, type XidCode } from './xid.ts';

export interface GpuDeviceOptions {
  /** @default systemClock */
  clock: Clock;
  name: string;
  /** MiB. @default 24 564 (A5000, as nvidia-smi reports it) */
  totalMib: number;
  /** Held by driver and firmware, MiB. @default 450 */
  systemMib: number;
  /** Overhead of each process's context, MiB. @default 450 */
  contextMib: number;
  /** @default THERMAL_DEFAULTS */
  thermal: ThermalOptions;
  /** Load in whose steady state the card starts, 0–1. @default 0 */
  startUtilisation: number;
}

const GPU_DEVICE_DEFAULTS: GpuDeviceOptions = {
  clock: systemClock,
  name: 'Simulated 24 GiB workstation GPU',
  totalMib: 24_564,
  systemMib: 450,
  contextMib: 450,
  thermal: THERMAL_DEFAULTS,
  startUtilisation: 0,
};

/** What the card tells of itself: whole degrees and MiB, clocks in 15 MHz steps, as NVML does. */
export interface GpuSample {
  readonly name: string;
  readonly available: boolean;
  readonly memory: {
    readonly totalMib: number;
    readonly allocatedMib: number;
    readonly cachedMib: number;
    readonly tenantsMib: number;
    readonly freeMib: number;
    readonly largestFreeMib: number;
  };
  readonly temperatureC: number;
  readonly smClockMhz: number;
  readonly maxSmClockMhz: number;
  readonly powerW: number;
  readonly utilisationRatio: number;
  readonly clockEventReasons: number;
  readonly throttled: string[];
  readonly xids: Xid[];
}

export interface GpuDeviceEvents {
  xid: [Xid];
}

/** Xids kept in the list; the oldest go first. */
const MAX_XIDS = 50;
const SAMPLE_MS = 1000;
const CLOCK_STEP_MHZ = 15;
/** Clock events are looked at this often while time passes, ms; a multiple of the thermal model's step. */
const EVENTS_MS = 240;
/** NVML shows the power cap from about here on. */
const POWER_CAP_SHARE = 0.995;

type Presence = 'present' | 'absent' | 'lost';

/**
 * One simulated card, shared by every process that opens a context on it.
 *
 *     kernels (one at a time) ─┐
 *     tenants' load ───────────┼─► utilisation ─► ThermalModel ─► clock ─► duration of the next kernel
 *     allocators, tenants ─────┴─► DeviceMemory
 *
 * State advances with the clock whenever anything is asked or done; nothing needs a timer. Only faults change the
 * physics; flags, clocks and errors follow from it.
 */
export class GpuDevice extends EventEmitter<GpuDeviceEvents> {
  readonly memory: DeviceMemory;
  readonly #options: GpuDeviceOptions;
  readonly #thermal: ThermalModel;
  readonly #contexts = new Set<GpuContext>();
  readonly #pressures = new Map<string, MemoryPressure>();
  readonly #clockEvents = new ClockEventLog();
  readonly #waiting: (() => void)[] = [];
  #presence: Presence = 'present';
  #xids: Xid[] = [];
  #tenantUtilisation = 0;
  #kernelRunning = false;
  #kernelSince = 0;
  #advancedAt: number;
  /** Integral of utilisation over time, ms. */
  #busyMs = 0;
  #sample: GpuSample;
  #sampledAt: number;
  #sampledBusyMs = 0;
  /** Card or contexts came or went: that is shown at once. */
  #sampleStale = false;
  /** Aborted when the card goes away or is reset, so that running kernels fail at once. */
  #epoch = new AbortController();

  constructor(options: Partial<GpuDeviceOptions> = {}) {
    super();
    this.#options = { ...GPU_DEVICE_DEFAULTS, ...options };
    const { totalMib, systemMib, clock, thermal, startUtilisation } = this.#options;
    this.memory = new DeviceMemory(totalMib * MIB, systemMib * MIB);
    this.#thermal = new ThermalModel(thermal, startUtilisation);
    this.#advancedAt = clock.monotonicMs();
    this.#sampledAt = this.#advancedAt;
    this.#sample = this.#takeSample(0);
  }

  /** True while the card is there and not latched off by an Xid. */
  get available(): boolean {
    this.advance();
    return this.#presence === 'present';
  }

  /** True while the driver sees no card at all. */
  get absent(): boolean {
    return this.#presence === 'absent';
  }

  get softwareThermal(): boolean {
    this.advance();
    return this.#thermal.softwareThermal;
  }

  get temperatureC(): number {
    this.advance();
    return this.#thermal.temperatureC;
  }

  get clockMhz(): number {
    this.advance();
    return this.#thermal.clockMhz;
  }

  /** How much longer a kernel takes than at full clock, ≥ 1: 0.3 of it does not depend on the clock. */
  get slowdown(): number {
    this.advance();
    return 0.3 + (0.7 * this.#thermal.options.maxClockMhz) / this.#thermal.clockMhz;
  }

  /** How long the running kernel has been running, ms; 0 without one. */
  get kernelAgeMs(): number {
    return this.#kernelRunning ? this.#options.clock.monotonicMs() - this.#kernelSince : 0;
  }

  set cooling(cooling: Cooling) {
    this.advance();
    this.#thermal.cooling = cooling;
  }

  /** Load by others, 0–1. It heats the card; our kernels keep their turn. */
  set tenantUtilisation(ratio: number) {
    if (!(ratio >= 0 && ratio <= 1)) throw new RangeError(`Expected ratio to be from 0 to 1, got ${ratio}`);
    this.advance();
    this.#tenantUtilisation = ratio;
  }

  /**
   * Opens a process's context.
   * @throws {GpuError} NO_DEVICE, GPU_LOST; {OutOfMemoryError} when not even its overhead fits
   */
  openContext(name: string): GpuContext {
    this.advance();
    this.#requirePresence();
    const overheadBytes = this.#options.contextMib * MIB;
    if (!this.memory.take(overheadBytes)) {
      throw new OutOfMemoryError({
        triedBytes: overheadBytes,
        totalBytes: this.memory.totalBytes,
        freeBytes: this.memory.freeBytes,
        allocatedBytes: 0,
        reservedBytes: 0,
      });
    }
    const context = new GpuContext(name, this.memory, overheadBytes);
    this.#contexts.add(context);
    this.#sampleStale = true;
    return context;
  }

  closeContext(context: GpuContext): void {
    this.advance();
    context.close();
    this.#contexts.delete(context);
    this.#sampleStale = true;
  }

  /**
   * Runs a kernel when its turn comes: one at a time, first come, first served. Gives the time it took on the card.
   *
   * Aborting `signal` gives the turn up while waiting; a kernel that has begun runs to its end.
   * @param baseMs duration at full clock
   * @throws {GpuError} when the card is or goes away; the signal's reason
   */
  async runKernel(context: GpuContext, baseMs: number, signal?: AbortSignal): Promise<number> {
    return await this.occupy(
      context,
      async (epoch) => {
        const durationMs = baseMs * this.slowdown;
        await sleep(this.#options.clock, durationMs, epoch);
        return durationMs;
      },
      signal,
    );
  }

  /** Like `runKernel`, for as long as `work` takes: a kernel that hangs. `epoch` aborts when the card goes away. */
  async occupy<T>(
    context: GpuContext,
    work: (epoch: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    await this.#turn(signal);
    try {
      signal?.throwIfAborted();
      this.requireUsable(context);
      this.#kernelRunning = true;
      this.#kernelSince = this.#options.clock.monotonicMs();
      const result = await work(this.#epoch.signal);
      this.requireUsable(context);
      return result;
    } finally {
      this.advance();
      this.#kernelRunning = false;
      this.#waiting.shift();
      this.#waiting[0]?.();
    }
  }

  /** @throws {GpuError} NO_DEVICE, GPU_LOST, CONTEXT_LOST, CONTEXT_CORRUPTED */
  requireUsable(context: GpuContext): void {
    this.advance();
    this.#requirePresence();
    if (context.lost) throw new GpuError('CONTEXT_LOST', 'CUDA error: context is destroyed');
    if (context.corrupted) {
      throw new GpuError('CONTEXT_CORRUPTED', 'CUDA error: an illegal memory access was encountered');
    }
  }

  /** Lets `pressure` take memory from now on. */
  addPressure(id: string, pressure: MemoryPressure): void {
    this.advance();
    this.removePressure(id);
    this.#pressures.set(id, pressure);
  }

  removePressure(id: string): void {
    this.advance();
    this.#pressures.get(id)?.release();
    this.#pressures.delete(id);
  }

  /** Reports an Xid; 79 takes the card off the bus until `reset`. */
  raiseXid(code: XidCode): Xid {
    const xid = makeXid(code, this.#options.clock.now());
    this.#xids = [...this.#xids, xid].slice(-MAX_XIDS);
    if (code === 79 && this.#presence === 'present') {
      this.#presence = 'lost';
      this.#newEpoch(new GpuError('GPU_LOST', lostMessage()));
    }
    this.emit('xid', xid);
    return xid;
  }

  /** The driver sees no card any more; every context is lost. */
  detach(): void {
    this.advance();
    this.#presence = 'absent';
    this.#dropContexts();
    this.#newEpoch(new GpuError('NO_DEVICE', 'CUDA error: no CUDA-capable device is detected'));
  }

  /** Brings the card back after `detach` or an Xid, without any context. It keeps its heat. */
  reset(): void {
    this.advance();
    this.#dropContexts();
    this.#newEpoch(new GpuError('CONTEXT_LOST', 'CUDA error: context is destroyed'));
    this.#thermal.restart();
    this.#presence = 'present';
  }

  /** The sample of the current second. */
  status(): GpuSample {
    this.advance();
    const ageMs = this.#advancedAt - this.#sampledAt;
    if (ageMs >= SAMPLE_MS || this.#sampleStale) {
      this.#sampleStale = false;
      const ratio = ageMs > 0 ? (this.#busyMs - this.#sampledBusyMs) / ageMs : this.#sample.utilisationRatio;
      this.#sample = this.#takeSample(Math.min(1, ratio));
      this.#sampledAt = this.#advancedAt;
      this.#sampledBusyMs = this.#busyMs;
    }
    return this.#sample;
  }

  /** For how long each clock event reason held in the last five minutes; without a card nothing is counted. */
  clockEventTimes(): ClockEventTimes {
    this.advance();
    return this.#clockEvents.times(this.#advancedAt);
  }

  /** Brings the state up to now. Everything public does it by itself. */
  advance(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const elapsedMs = nowMs - this.#advancedAt;
    if (elapsedMs <= 0) return;
    const fromMs = this.#advancedAt;
    this.#advancedAt = nowMs;
    const present = this.#presence === 'present';
    const utilisation = present ? Math.min(1, (this.#kernelRunning ? 1 : 0) + this.#tenantUtilisation) : 0;
    this.#busyMs += utilisation * elapsedMs;
    for (let doneMs = 0; doneMs < elapsedMs; doneMs += EVENTS_MS) {
      const sliceMs = Math.min(EVENTS_MS, elapsedMs - doneMs);
      this.#thermal.advance(sliceMs, utilisation);
      if (present)
        this.#clockEvents.add(this.#clockEventBits(utilisation), fromMs + doneMs + sliceMs, sliceMs);
    }
    for (const pressure of this.#pressures.values()) if (present) pressure.advance(elapsedMs);
    if (this.#thermal.shutDown && this.#presence === 'present') this.raiseXid(79);
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const mine = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        const index = this.#waiting.indexOf(mine);
        if (index > 0) {
          this.#waiting.splice(index, 1);
          reject(signal?.reason);
        }
      };
      this.#waiting.push(mine);
      if (this.#waiting[0] === mine) mine();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #requirePresence(): void {
    if (this.#presence === 'absent') {
      throw new GpuError('NO_DEVICE', 'CUDA error: no CUDA-capable device is detected');
    }
    if (this.#presence === 'lost') throw new GpuError('GPU_LOST', lostMessage());
  }

  #dropContexts(): void {
    for (const context of this.#contexts) context.close();
    this.#contexts.clear();
  }

  #newEpoch(reason: GpuError): void {
    this.#sampleStale = true;
    const ended = this.#epoch;
    this.#epoch = new AbortController();
    ended.abort(reason);
  }

  #takeSample(utilisationRatio: number): GpuSample {
    const { name, thermal, systemMib } = this.#options;
    const present = this.#presence !== 'absent';
    const bits = this.#clockEventBits(utilisationRatio);
    let allocatedBytes = systemMib * MIB;
    let cachedBytes = 0;
    let largestFreeBytes = this.memory.freeBytes;
    for (const { allocator, overheadBytes } of this.#contexts) {
      allocatedBytes += overheadBytes + allocator.allocatedBytes;
      cachedBytes += allocator.reservedBytes - allocator.allocatedBytes;
      largestFreeBytes = Math.max(largestFreeBytes, allocator.largestCachedBytes);
    }
    let tenantBytes = 0;
    for (const pressure of this.#pressures.values()) tenantBytes += pressure.tenantBytes;
    const mib = (bytes: number) => (present ? Math.round(bytes / MIB) : 0);
    return {
      name,
      available: this.#presence === 'present',
      memory: {
        totalMib: this.#options.totalMib,
        allocatedMib: mib(allocatedBytes),
        cachedMib: mib(cachedBytes),
        tenantsMib: mib(tenantBytes),
        freeMib: mib(this.memory.freeBytes),
        largestFreeMib: mib(largestFreeBytes),
      },
      temperatureC: Math.round(this.#thermal.temperatureC),
      smClockMhz:
        this.#presence === 'present'
          ? Math.floor(this.#thermal.clockMhz / CLOCK_STEP_MHZ) * CLOCK_STEP_MHZ
          : 0,
      maxSmClockMhz: thermal.maxClockMhz,
      powerW: this.#presence === 'present' ? Math.round(this.#thermal.powerW) : 0,
      utilisationRatio: Math.round(utilisationRatio * 100) / 100,
      clockEventReasons: bits,
      throttled: throttleWords(bits),
      xids: this.#xids,
    };
  }

  #clockEventBits(utilisationRatio: number): number {
    if (this.#presence !== 'present') return 0;
    const { idlePowerW, loadPowerW } = this.#thermal.options;
    let bits = 0;
    if (utilisationRatio === 0) bits |= CLOCK_EVENTS.idle;
    if (this.#thermal.powerW >= (idlePowerW + loadPowerW) * POWER_CAP_SHARE)
      bits |= CLOCK_EVENTS.softwarePowerCap;
    if (this.#thermal.softwareThermal) bits |= CLOCK_EVENTS.softwareThermal;
    if (this.#thermal.hardwareSlowdown) bits |= CLOCK_EVENTS.hardwareSlowdown | CLOCK_EVENTS.hardwareThermal;
    return bits;
  }
}

function lostMessage(): string {
  return 'CUDA error: unspecified launch failure (Xid 79: GPU has fallen off the bus)';
}
