'use client';

import type { GpuStatus } from '#lib/protocol/state.ts';
import { gpuStanding } from '../service/service-subject.ts';
import { CHIP, StatusMark } from '../visual/StatusMark.tsx';

/** Which card, and how it is. */
export function GpuHead({ gpu, faults, stale }: { gpu: GpuStatus; faults: number; stale: boolean }) {
  const injected = faults > 0 ? ({ status: 'injected', word: 'FAULT IN FORCE' } as const) : null;
  const { status, word } = gpuStanding(gpu, injected);
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
      <span
        className={`inline-flex items-center gap-2 rounded-md border-2 px-3 py-1 text-sm font-bold tracking-wide ${CHIP[status]}`}
        data-state={status}
        data-testid="gpu-status"
      >
        <StatusMark size={14} status={status} />
        {word}
      </span>
      {stale && <span className="font-semibold">when last heard</span>}
      <span className="text-muted">{gpu.name}, shared by yolo26 and nemotron</span>
    </div>
  );
}
