'use client';

import type { ReactNode } from 'react';
import { METRICS } from '#lib/protocol/metrics.ts';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { newest } from '../charts/chart-series.ts';
import { buffers } from '../live/series-buffers.ts';
import { serverNow } from '../stores/state-store.ts';
import { count } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** What it gets done, and what went wrong since its process started. */
export function GpuCounts({ gpu }: { gpu: GpuStatus }) {
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-2 sm:grid-cols-3 wide:grid-cols-2">
      <Figure testId="gpu-batch" word="images at once">
        {gpu.maxBatchSize}
      </Figure>
      <Figure testId="gpu-images" word="images detected">
        <Rate metric={METRICS.imagesPerSecond} />
      </Figure>
      <Figure testId="gpu-completions" word="LLM completions">
        <Rate metric={METRICS.completionsPerSecond} />
      </Figure>
      <Figure bad={gpu.outOfMemoryCount > 0} testId="gpu-out-of-memory" word="times out of memory">
        {count(gpu.outOfMemoryCount)}
      </Figure>
      <Figure bad={gpu.restarts > 0} testId="gpu-restarts" word="restarts of a model">
        {count(gpu.restarts)}
      </Figure>
      <Figure word="runs on">{gpu.device === 'cuda' ? 'the card' : 'the CPU'}</Figure>
    </dl>
  );
}

interface FigureProps {
  word: string;
  bad?: boolean;
  testId?: string;
  children: ReactNode;
}

function Figure({ word, bad = false, testId, children }: FigureProps) {
  return (
    <div className="flex flex-col-reverse">
      <dt className="text-[12px] text-muted">{word}</dt>
      <dd
        className={`inline-flex items-center gap-1.5 text-[15px] font-semibold ${bad ? 'text-degraded-ink' : ''}`}
        data-testid={testId}
      >
        {bad && <StatusMark size={10} status="degraded" />}
        {children}
      </dd>
    </div>
  );
}

/** The newest sample of a rate; an old one is not shown. */
function Rate({ metric }: { metric: string }) {
  useClock(500);
  const value = newest(buffers, metric, serverNow());
  return value === null ? '–' : `${value.toFixed(1)}/s`;
}
