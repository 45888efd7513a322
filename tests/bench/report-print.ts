import type { BenchReport } from './measure.ts';

/** Three digits that count, and no more than a reader can use. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 100 || size === 0 ? value.toFixed(0) : value.toPrecision(3);
}

/** A report for the terminal. */
export function printed({ part, what, measurements, ratios, rivals = {}, found = [] }: BenchReport): string {
  return [
    `\n${part}: ${what}`,
    ...Object.entries(rivals).map(([name, how]) => `  rival ${name}: ${how}`),
    ...measurements.map(
      ({ name, unit, median, min, max, rounds }) =>
        `  ${name.padEnd(50)} ${round(median)} ${unit}  (${round(min)}–${round(max)}, ${rounds} rounds)`,
    ),
    ...ratios.map(
      ({ name, value, target, met }) =>
        `  ${name.padEnd(50)} ${round(value)}  target ${target}${met === false ? '  MISSED' : ''}`,
    ),
    ...found.map((text) => `  found: ${text}`),
    '',
  ].join('\n');
}
