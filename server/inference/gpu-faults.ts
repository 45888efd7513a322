import { ChaosError } from '#lib/chaos/errors.ts';
import type { FaultSpec } from '#lib/chaos/faults/fault.ts';
import type { FaultEffect } from '#lib/chaos/faults/injector.ts';
import {
  LeakPressure,
  type MemoryPressure,
  NeighbourPressure,
  SpikePressure,
} from '#lib/chaos/gpu/memory-pressure.ts';
import { GOOD_COOLING } from '#lib/chaos/gpu/thermal-model.ts';
import type { GpuHost } from './gpu-host.ts';

interface ThermalParams {
  sinkFactor: number;
  inletDeltaK: number;
  tenantUtil: number;
  governor: boolean;
}

interface MemoryParams {
  mode: 'leak' | 'spike' | 'neighbour';
  rateMibPerSecond: number;
  targetFreeMib: number;
}

/**
 * What faults on `gpu` change about the card. Faults that hit single calls (time-out, error, latency) are decided
 * where the call is made.
 */
export class GpuFaults implements FaultEffect {
  readonly #host: GpuHost;

  constructor(host: GpuHost) {
    this.#host = host;
  }

  arm(fault: FaultSpec): void {
    if (fault.service !== 'gpu') throw new ChaosError('FAULT_UNSUPPORTED', `${fault.service} is not here`);
    const { device } = this.#host;
    switch (fault.type) {
      case 'connection_error':
        device.detach();
        break;
      case 'unavailable':
        device.raiseXid(79);
        break;
      case 'thermal_throttle':
        this.#heat(fault);
        break;
      case 'vram_exhaustion':
        device.addPressure(fault.id, this.#pressure(fault));
        break;
    }
  }

  change(fault: FaultSpec, previous: FaultSpec): void {
    if (fault.type === 'thermal_throttle') this.#heat(fault);
    if (fault.type !== 'vram_exhaustion') return;
    if (JSON.stringify(fault.params) === JSON.stringify(previous.params)) return; // only its lease changed
    this.#host.device.removePressure(fault.id);
    this.#host.device.addPressure(fault.id, this.#pressure(fault));
  }

  end(fault: FaultSpec): void {
    const host = this.#host;
    switch (fault.type) {
      case 'timeout':
        host.releaseHang(fault.id);
        break;
      case 'connection_error':
        host.cardFound();
        break;
      case 'thermal_throttle':
        host.device.cooling = GOOD_COOLING;
        host.device.tenantUtilisation = 0;
        host.coolDown(fault);
        break;
      case 'vram_exhaustion':
        host.device.removePressure(fault.id);
        if ((fault.params as unknown as MemoryParams).mode === 'leak') {
          host.restartModel('yolo26', fault.id, 'leaked GPU memory stays until its process ends');
        }
        break;
    }
    host.recover();
  }

  #heat(fault: FaultSpec): void {
    const { sinkFactor, inletDeltaK, tenantUtil, governor } = fault.params as unknown as ThermalParams;
    this.#host.device.cooling = { sinkFactor, inletDeltaK, governor };
    this.#host.device.tenantUtilisation = tenantUtil;
  }

  #pressure(fault: FaultSpec): MemoryPressure {
    const params = fault.params as unknown as MemoryParams;
    const { memory } = this.#host.device;
    if (params.mode === 'neighbour') return new NeighbourPressure(memory, params);
    const allocator = this.#host.runtimes.yolo26.context?.allocator;
    if (!allocator) {
      throw new ChaosError('FAULT_UNSUPPORTED', `No process on the GPU that could ${params.mode} memory`);
    }
    return params.mode === 'leak'
      ? new LeakPressure(memory, allocator, params)
      : new SpikePressure(memory, allocator, params.targetFreeMib);
  }
}
