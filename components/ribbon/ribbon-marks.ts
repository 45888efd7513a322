import type { Fact } from '#lib/protocol/facts.ts';
import { timeOfDay } from '../visual/quantity.ts';
import { factSpans } from './fact-spans.ts';
import type { Mark } from './ribbon-series.ts';

/** Halts, notes and alerts of the window; a note stands where its writing was begun. */
export function marksOf(
  facts: readonly Fact[],
  fromAt: number,
  toAt: number,
  x: (at: number) => number,
): Mark[] {
  return factSpans(facts).marks.flatMap((fact): Mark[] => {
    const marked = markOf(fact);
    if (!marked || marked.at < fromAt || marked.at > toAt) return [];
    return [{ x: x(marked.at), kind: marked.kind, texts: [`${timeOfDay(marked.at)} ${marked.text}`] }];
  });
}

function markOf(fact: Fact): { at: number; kind: Mark['kind']; text: string } | null {
  switch (fact.type) {
    case 'halted':
      return { at: fact.at, kind: 'halt', text: `halted by ${fact.data.by}` };
    case 'note':
      return { at: fact.data.begunAt ?? fact.at, kind: 'note', text: `${fact.data.by}: ${fact.data.text}` };
    case 'alert':
      return { at: fact.at, kind: 'alert', text: fact.data.text };
    default:
      return null;
  }
}

/** Four or five round moments in the window, clear of its ends. */
export function axisTicks(fromAt: number, toAt: number): number[] {
  const step = [15_000, 60_000, 180_000, 900_000].find((each) => (toAt - fromAt) / each <= 5) ?? 900_000;
  const ticks: number[] = [];
  const margin = (toAt - fromAt) * 0.04;
  for (let at = Math.ceil((fromAt + margin) / step) * step; at < toAt - margin; at += step) ticks.push(at);
  return ticks;
}
