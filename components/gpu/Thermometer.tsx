'use client';

import type { GpuStatus } from '#lib/protocol/state.ts';
import { CHIP, StatusMark } from '../visual/StatusMark.tsx';
import { heatReading } from './gpu-readings.ts';

/** Ends of the scale, °C: a card at rest, and a little above its shutdown. */
const FROM_C = 20;
const ABOVE_SHUTDOWN_C = 4;

/** The temperature against what the card does at each of its limits. */
export function Thermometer({ gpu }: { gpu: GpuStatus }) {
  const { temperatureC, limits } = gpu;
  const { status, word } = heatReading(gpu);
  const toC = limits.shutdownC + ABOVE_SHUTDOWN_C;
  const left = (celsius: number) =>
    `${(Math.min(1, Math.max(0, (celsius - FROM_C) / (toC - FROM_C))) * 100).toFixed(2)}%`;
  const marks: [number, string][] = [
    [limits.targetC, 'slows down'],
    [limits.softwareC, 'flag, inference pauses'],
    [limits.hardwareC, 'HW slowdown'],
    [limits.shutdownC, 'shutdown'],
  ];
  return (
    <div data-status={status} data-testid="thermometer">
      <p className="flex items-center gap-2">
        <span className="text-2xl font-semibold" data-testid="gpu-temperature">
          {temperatureC} °C
        </span>
        <span
          className={`inline-flex items-center gap-1 rounded border px-1.5 text-[11px] leading-5 font-bold ${CHIP[status]}`}
        >
          <StatusMark size={10} status={status} />
          {word}
        </span>
      </p>
      <div
        aria-label={`Temperature of the GPU: ${temperatureC} °C, ${word}`}
        className="relative mt-2 h-4 rounded border border-line-strong"
        role="img"
      >
        <span
          aria-hidden="true"
          className="absolute inset-y-0 left-0 rounded-l-[3px]"
          style={{ width: left(temperatureC), background: 'var(--area-1)' }}
        />
        {marks.map(([celsius]) => (
          <span
            aria-hidden="true"
            className="absolute -top-1 -bottom-1 w-px bg-ink"
            key={celsius}
            style={{ left: left(celsius) }}
          />
        ))}
      </div>
      <ol className="mt-1.5 flex flex-wrap gap-x-3 text-[11px] text-muted">
        {marks.map(([celsius, meaning]) => (
          <li className={temperatureC >= celsius ? 'font-semibold text-ink' : ''} key={celsius}>
            {celsius} °C {meaning}
          </li>
        ))}
      </ol>
    </div>
  );
}
