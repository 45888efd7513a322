'use client';

import type { GpuStatus } from '#lib/protocol/state.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { type MemoryPart, mebibytes, memoryReading } from './gpu-readings.ts';

const LOOK: Record<MemoryPart['key'], string> = {
  allocated: 'var(--area-1)',
  cached: 'var(--area-2)',
  // Striped, so that it is told from ours without colour.
  tenants: 'repeating-linear-gradient(-45deg, var(--area-3) 0 5px, var(--ground) 5px 7px)',
  free: 'transparent',
};

/** Who holds the card's memory, and where the next image no longer fits. */
export function VramBar({ gpu }: { gpu: GpuStatus }) {
  const reading = memoryReading(gpu);
  if (!reading) return <p className="text-muted">No card: nobody holds memory.</p>;
  const { memory, imageMib } = gpu;
  const line = `${reading.outOfMemoryShare * 100}%`;
  return (
    <div data-testid="vram">
      <div className="relative pt-4">
        <span
          className="absolute top-0 -translate-x-full pr-1 text-[10px] leading-4 whitespace-nowrap text-muted"
          style={{ left: line }}
        >
          out of memory from here
        </span>
        <div
          aria-label={reading.parts.map(({ word, mib }) => `${word} ${mebibytes(mib)}`).join(', ')}
          className="flex h-7 overflow-hidden rounded border border-line-strong"
          role="img"
        >
          {reading.parts.map(({ key, share }) => (
            <span
              className="h-full border-r border-ground last:border-r-0"
              key={key}
              style={{ width: `${share * 100}%`, background: LOOK[key] }}
            />
          ))}
        </div>
        <span
          aria-hidden="true"
          className={`absolute top-0 bottom-0 w-0.5 ${reading.outOfMemory ? 'bg-open' : 'bg-ink'}`}
          data-testid="out-of-memory-line"
          style={{ left: line }}
        />
      </div>
      <ul className="mt-1.5 flex flex-wrap gap-x-4 gap-y-0.5 text-[12px]">
        {reading.parts.map(({ key, word, mib }) => (
          <li className="inline-flex items-center gap-1.5" data-testid={`vram-${key}`} key={key}>
            <span
              aria-hidden="true"
              className="size-2.5 rounded-[2px] border border-line-strong"
              style={{ background: LOOK[key] }}
            />
            {word} <b className="font-semibold">{mebibytes(mib)}</b>
          </li>
        ))}
        <li className="text-muted">of {mebibytes(memory.totalMib)}</li>
      </ul>
      <p className="mt-1 text-[12px]" data-testid="vram-largest">
        largest free block <b className="font-semibold">{mebibytes(memory.largestFreeMib)}</b>
        <span className="text-muted"> · one image needs {mebibytes(imageMib)} in one piece</span>
      </p>
      {reading.outOfMemory && (
        <p className="mt-1 inline-flex items-center gap-1.5 font-semibold text-open-ink">
          <StatusMark size={11} status="open" />
          {reading.outOfMemory === 'fragmented'
            ? 'OUT OF MEMORY in pieces: enough is free, none of it large enough'
            : 'OUT OF MEMORY: one more image does not fit'}
        </p>
      )}
    </div>
  );
}
