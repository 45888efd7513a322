import { FAULT_TYPES } from '#lib/chaos/faults/catalogue.ts';
import { type FaultSpec, faultMark } from '#lib/chaos/faults/fault.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { DiskProbe } from './disk-space.ts';

/** Where a file is on its way through the intake. */
export type FileStep = 'store' | 'write' | 'accept' | 'read';

/**
 * The layer between the intake and its file system in which the faults on files act. `chmod` would not do: root
 * ignores it.
 */
export class FileFaults {
  readonly #injector: FaultInjector | undefined;

  /** @param injector undefined: no fault ever acts */
  constructor(injector: FaultInjector | undefined) {
    this.#injector = injector;
  }

  /** @throws {Error} as the file system would, with the code that its type names, when a fault hits this step */
  check(step: FileStep, file: string): void {
    const acting = FAILURES.filter(({ type }) => this.#armed(type).some((fault) => actsAt(step, fault)));
    if (acting.length === 0) return;
    const types = acting.map(({ type }) => type);
    const fault = this.#injector?.decide('ftp', { kind: step, file }, types)?.fault;
    const failure = acting.find(({ type }) => type === fault?.type);
    if (!fault || !failure) return;
    const { code, text } = failure;
    throw Object.assign(new Error(`${code}: ${text}, ${step} '${file}' ${faultMark(fault.id)}`), { code });
  }

  /** The fault that wants an accepted file deleted, if one does. */
  deletes(file: string): FaultSpec | undefined {
    return this.#injector?.decide('ftp', { kind: 'delete', file }, ['file_deleted'])?.fault;
  }

  /** A full disk has no space left, also for who asks. With a ratio below 1 only single writes fail. */
  probe(real: DiskProbe): DiskProbe {
    return async (path) => {
      const full = this.#armed('disk_full').find(({ ratio, match }) => ratio === 1 && match === undefined);
      if (!full) return real(path);
      const freeRatio = freeRatioOf(full);
      if (freeRatio > 0) this.#injector?.recordHit(full.id, 'probe');
      return freeRatio;
    };
  }

  #armed(type: string): readonly FaultSpec[] {
    return this.#injector?.active('ftp').filter((fault) => fault.type === type) ?? [];
  }
}

function actsAt(step: FileStep, fault: FaultSpec): boolean {
  const { type, params, ratio, failFirst } = fault;
  if (type !== 'disk_full') return (params['step'] ?? 'store') === step;
  if (freeRatioOf(fault) > 0) return false;
  // What is being received fails as well, unless uploads are to be hit one by one.
  return step === 'store' || (step === 'write' && ratio === 1 && failFirst === undefined);
}

const freeRatioOf = ({ params }: FaultSpec) => Number(params['freeRatio'] ?? 0);

const FAILURES = FAULT_TYPES.flatMap(({ type, fileError }) => (fileError ? [{ type, ...fileError }] : []));
