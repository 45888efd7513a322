import type { Fact } from '#lib/protocol/facts.ts';
import { timeOfDay } from '../visual/quantity.ts';
import type { Mark } from './ribbon-series.ts';

/** Halts, notes and alerts of the window. */
export function marksOf(
  facts: readonly Fact[],
  fromAt: number,
  toAt: number,
  x: (at: number) => number,
): Mark[] {
  return facts.flatMap((fact): Mark[] => {
    if (fact.at < fromAt || fact.at > toAt) return [];
    switch (fact.type) {
      case 'halted':
        return [{ x: x(fact.at), kind: 'halt', texts: [`${timeOfDay(fact.at)} halted by ${fact.data.by}`] }];
      case 'note':
        return [
          {
            x: x(fact.at),
            kind: 'note',
            texts: [`${timeOfDay(fact.at)} ${fact.data.by}: ${fact.data.text}`],
          },
        ];
      case 'alert':
        return [{ x: x(fact.at), kind: 'alert', texts: [`${timeOfDay(fact.at)} ${fact.data.text}`] }];
      default:
        return [];
    }
  });
}

/** Four or five round moments in the window, clear of its ends. */
export function axisTicks(fromAt: number, toAt: number): number[] {
  const step = [15_000, 60_000, 180_000, 900_000].find((each) => (toAt - fromAt) / each <= 5) ?? 900_000;
  const ticks: number[] = [];
  const margin = (toAt - fromAt) * 0.04;
  for (let at = Math.ceil((fromAt + margin) / step) * step; at < toAt - margin; at += step) ticks.push(at);
  return ticks;
}
