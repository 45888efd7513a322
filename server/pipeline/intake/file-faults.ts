import { FAULT_TYPES } from '#lib/chaos/faults/catalogue.ts';
import { type FaultSpec, faultMark } from '#lib/chaos/faults/fault.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { DiskProbe } from './disk-space.ts';

/** Where a file is on its way through the intake. */
export type FileStep = 'store' | 'accept';

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
    const acts = ({ params }: FaultSpec) => (params['step'] ?? 'store') === step;
    const acting = FAILURES.filter(({ type }) => this.#armed(type).some(acts));
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
      const isFull = this.#armed('disk_full').some(({ ratio, match }) => ratio === 1 && match === undefined);
      return isFull ? 0 : real(path);
    };
  }

  #armed(type: string): readonly FaultSpec[] {
    return this.#injector?.active('ftp').filter((fault) => fault.type === type) ?? [];
  }
}

const FAILURES = FAULT_TYPES.flatMap(({ type, fileError }) => (fileError ? [{ type, ...fileError }] : []));
