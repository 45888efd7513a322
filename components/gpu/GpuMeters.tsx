'use client';

import type { GpuStatus } from '#lib/protocol/state.ts';
import { percent } from '../visual/quantity.ts';

/** Clock against its maximum, power against full load, and how busy the card is. */
export function GpuMeters({ gpu }: { gpu: GpuStatus }) {
  return (
    <div className="space-y-2">
      <Meter
        label="SM clock"
        max={gpu.maxSmClockMhz}
        testId="gpu-clock"
        text={`${gpu.smClockMhz} MHz of ${gpu.maxSmClockMhz}`}
        value={gpu.smClockMhz}
      />
      <Meter
        label="Power"
        max={gpu.limits.powerW}
        testId="gpu-power"
        text={`${gpu.powerW} W of ${gpu.limits.powerW} at full load`}
        value={gpu.powerW}
      />
      <Meter
        label="Utilisation"
        max={1}
        testId="gpu-utilisation"
        text={percent(gpu.utilisationRatio)}
        value={gpu.utilisationRatio}
      />
    </div>
  );
}

interface MeterProps {
  label: string;
  value: number;
  max: number;
  text: string;
  testId: string;
}

function Meter({ label, value, max, text, testId }: MeterProps) {
  return (
    <div>
      <p className="flex justify-between gap-3 text-[12px]">
        <span className="text-muted">{label}</span>
        <b className="font-semibold" data-testid={testId}>
          {text}
        </b>
      </p>
      <div
        aria-label={`${label}: ${text}`}
        className="h-2.5 overflow-hidden rounded border border-line-strong"
        role="img"
      >
        <span
          aria-hidden="true"
          className="block h-full"
          style={{ width: `${Math.min(1, value / Math.max(max, 1e-9)) * 100}%`, background: 'var(--area-1)' }}
        />
      </div>
    </div>
  );
}
