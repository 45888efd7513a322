import { ChaosError } from '#lib/chaos/errors.ts';
import { type FaultSpec, faultMark } from '#lib/chaos/faults/fault.ts';
import type { FaultEffect } from '#lib/chaos/faults/injector.ts';
import {
  FragmentPressure,
  LeakPressure,
  type MemoryPressure,
  NeighbourPressure,
  SpikePressure,
} from '#lib/chaos/gpu/memory-pressure.ts';
import { GOOD_COOLING } from '#lib/chaos/gpu/thermal-model.ts';
import type { GpuHost } from './gpu-host.ts';
import type { ModelName } from './inference-profile.ts';

interface ThermalParams {
  sinkFactor: number;
  inletDeltaK: number;
  tenantUtil: number;
  governor: boolean;
}

interface FileParams {
  model: ModelName;
  storeDown?: boolean;
  version?: string;
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
      case 'no_gpu':
        device.detach();
        break;
      case 'device_index':
        this.#host.reloadAll();
        break;
      case 'unavailable':
      case 'driver_crash':
        device.raiseXid(79);
        break;
      case 'thermal_throttle':
        this.#heat(fault);
        break;
      case 'vram_exhaustion':
      case 'vram_fragmentation':
        device.addPressure(fault.id, this.#pressure(fault));
        break;
      case 'model_corrupted':
      case 'model_version_mismatch':
        this.#spoilFile(fault);
        break;
    }
  }

  change(fault: FaultSpec, previous: FaultSpec): void {
    if (fault.type === 'thermal_throttle') this.#heat(fault);
    if (JSON.stringify(fault.params) === JSON.stringify(previous.params)) return; // only its lease changed
    switch (fault.type) {
      case 'vram_exhaustion':
      case 'vram_fragmentation':
        this.#host.device.removePressure(fault.id);
        this.#host.device.addPressure(fault.id, this.#pressure(fault));
        break;
      case 'model_corrupted':
      case 'model_version_mismatch':
        this.#mendFile(previous);
        this.#spoilFile(fault);
        break;
      case 'driver_crash':
        this.#host.recover(); // a latch that became a loop
        break;
    }
  }

  end(fault: FaultSpec): void {
    const host = this.#host;
    switch (fault.type) {
      case 'timeout':
      case 'inference_timeout':
        host.releaseHang(fault.id);
        break;
      case 'connection_error':
      case 'no_gpu':
        host.cardFound();
        break;
      case 'device_index':
        host.reloadAll();
        break;
      case 'context_corruption':
        host.replaceCorrupted(fault.id);
        break;
      case 'model_corrupted':
      case 'model_version_mismatch':
        this.#mendFile(fault);
        break;
      case 'vram_fragmentation':
        host.device.removePressure(fault.id);
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

  /** Changes the file on the disk, and lets the service find it when it loads it again. */
  #spoilFile(fault: FaultSpec): void {
    const { model, storeDown, version } = fault.params as unknown as FileParams;
    const { files } = this.#host;
    if (fault.type === 'model_version_mismatch') files.replaceByVersion(model, `${model}-${version}`);
    else {
      if (storeDown) files.storeProblem = `the model store does not answer ${faultMark(fault.id)}`;
      files.corrupt(model);
    }
    this.#host.reload(model, fault.id);
  }

  /** Makes the store answer again; a file that is still bad is fetched, and loaded by a restart. */
  #mendFile(fault: FaultSpec): void {
    const { model } = fault.params as unknown as FileParams;
    const { files, runtimes } = this.#host;
    if (fault.type === 'model_corrupted') files.storeProblem = undefined;
    if (!runtimes[model].fileError) return;
    files.fetch(model);
    this.#host.restartModel(model, fault.id, 'the model file was fetched again');
  }

  #pressure(fault: FaultSpec): MemoryPressure {
    const params = fault.params as unknown as MemoryParams;
    const { memory } = this.#host.device;
    if (params.mode === 'neighbour') return new NeighbourPressure(memory, params);
    const allocator = this.#host.runtimes.yolo26.context?.allocator;
    if (!allocator) {
      throw new ChaosError('FAULT_UNSUPPORTED', 'No process on the GPU that could take memory');
    }
    if (fault.type === 'vram_fragmentation') {
      return new FragmentPressure(memory, allocator, params.targetFreeMib);
    }
    return params.mode === 'leak'
      ? new LeakPressure(memory, allocator, params)
      : new SpikePressure(memory, allocator, params.targetFreeMib);
  }
}
