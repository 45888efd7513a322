import { ChaosError } from '#lib/chaos/errors.ts';
import type { FaultSpec } from '#lib/chaos/faults/fault.ts';
import type { FaultEffect } from '#lib/chaos/faults/injector.ts';
import type { PoolFaults } from './database/pool-faults.ts';

export interface PipelineFaultsOptions {
  pool: PoolFaults;
  /** Sees the disk as it is now. */
  refreshDisk: () => Promise<void>;
}

/** What faults do inside the pipeline process. Those on single files are decided where a file is touched. */
export class PipelineFaults implements FaultEffect {
  readonly #options: PipelineFaultsOptions;

  constructor(options: PipelineFaultsOptions) {
    this.#options = options;
  }

  async arm(fault: FaultSpec): Promise<void> {
    const { pool, refreshDisk } = this.#options;
    if (fault.service === 'database') await pool.arm(fault);
    else if (fault.service !== 'ftp')
      throw new ChaosError('FAULT_UNSUPPORTED', `${fault.service} is not here`);
    else if (fault.type === 'disk_full') await refreshDisk();
  }

  async change(fault: FaultSpec, previous: FaultSpec): Promise<void> {
    if (fault.service === 'database') await this.#options.pool.change(fault, previous);
    else if (fault.type === 'disk_full') await this.#options.refreshDisk();
  }

  async end(fault: FaultSpec): Promise<void> {
    if (fault.service === 'database') this.#options.pool.end(fault);
    else if (fault.type === 'disk_full') await this.#options.refreshDisk();
  }
}
