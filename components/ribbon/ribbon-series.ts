import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerState, Mode } from '#lib/protocol/state.ts';
import { inSentence } from '../faults/fault-words.ts';
import { type Change, factSpans } from './fact-spans.ts';

/** A stretch of the time axis, epoch ms. `toAt` null: still going on. */
export interface Band<T> {
  fromAt: number;
  toAt: number | null;
  value: T;
}

export interface FaultBand
  extends Band<{
    id: string;
    label: string;
    /** What stands in the band: its label, with how many lie under it; nothing when another lies over it. */
    shown: string;
    service: string;
    by: string;
  }> {
  /** Row it is drawn in, so that bands never cover each other. */
  row: number;
}

const FAULT_ROWS_MAX = 3;

/** Bands of all faults that touch the window, or of those that `acts` picks, newest rows reused, at most three rows deep. */
export function faultBands(
  facts: readonly Fact[],
  active: readonly Fault[],
  fromAt: number,
  toAt: number,
  acts: (fault: Fault) => boolean = () => true,
): FaultBand[] {
  const { started, endedAt: ends } = factSpans(facts);
  const touching = new Map<string, Fault>();
  for (const fault of [...active, ...started]) {
    const endedAt = ends.get(fault.id);
    if (fault.startedAt > toAt || (endedAt !== undefined && endedAt < fromAt) || !acts(fault)) continue;
    touching.set(fault.id, fault);
  }

  const rowEnds: number[] = [];
  const bands: FaultBand[] = [];
  for (const fault of [...touching.values()].sort((a, b) => a.startedAt - b.startedAt)) {
    const endedAt = ends.get(fault.id) ?? null;
    const endAt = endedAt ?? Number.POSITIVE_INFINITY;
    let row = rowEnds.findIndex((end) => end <= fault.startedAt);
    const covered: FaultBand[] = [];
    if (row < 0 && rowEnds.length < FAULT_ROWS_MAX) row = rowEnds.length;
    else if (row < 0) {
      row = FAULT_ROWS_MAX - 1;
      covered.push(
        ...bands.filter(
          (band) => band.row === row && (band.toAt ?? Number.POSITIVE_INFINITY) > fault.startedAt,
        ),
      );
    }
    for (const band of covered) band.value.shown = '';
    rowEnds[row] = Math.max(endAt, ...covered.map((band) => band.toAt ?? Number.POSITIVE_INFINITY));
    const label = `${fault.service} ${inSentence(fault.title)}`;
    bands.push({
      fromAt: fault.startedAt,
      toAt: endedAt,
      row,
      value: {
        id: fault.id,
        label,
        shown: covered.length === 0 ? label : `${label} +${covered.length}`,
        service: fault.service,
        by: fault.owner.name,
      },
    });
  }
  return bands;
}

/**
 * Modes over the window, rebuilt from the changes. Before the first known change the mode is its `from`; without
 * any, the present one; where nothing is known there is no band.
 */
export function modeBands(
  facts: readonly Fact[],
  now: Mode | null,
  fromAt: number,
  toAt: number,
): Band<Mode>[] {
  return bandsOf(factSpans(facts).modes, now, fromAt, toAt);
}

/** States of each breaker that was anything but CLOSED in the window, ordered by name. */
export function breakerBands(
  facts: readonly Fact[],
  now: ReadonlyMap<string, BreakerState>,
  fromAt: number,
  toAt: number,
): { name: string; bands: Band<BreakerState>[] }[] {
  const changes = new Map<string, readonly Change<BreakerState>[]>();
  for (const name of now.keys()) changes.set(name, []);
  for (const [name, list] of factSpans(facts).breakers) changes.set(name, list);
  return [...changes]
    .map(([name, list]) => ({ name, bands: bandsOf(list, now.get(name) ?? null, fromAt, toAt) }))
    .filter(({ bands }) => bands.some((band) => band.value !== 'CLOSED'))
    .sort((a, b) => a.name.localeCompare(b.name));
}

function bandsOf<T>(changes: readonly Change<T>[], now: T | null, fromAt: number, toAt: number): Band<T>[] {
  const first = changes[0];
  if (!first) return now === null ? [] : [{ fromAt, toAt: null, value: now }];
  const bands: Band<T>[] = [{ fromAt: Math.min(fromAt, first.at), toAt: first.at, value: first.from }];
  for (const [index, change] of changes.entries()) {
    bands.push({ fromAt: change.at, toAt: changes[index + 1]?.at ?? null, value: change.to });
  }
  return bands
    .filter((band) => band.fromAt <= toAt && (band.toAt === null || band.toAt >= fromAt))
    .map((band) => ({ ...band, fromAt: Math.max(band.fromAt, fromAt) }));
}

export interface Mark {
  /** Position, px. */
  x: number;
  /** What lies here, oldest first. */
  texts: string[];
  kind: 'halt' | 'note' | 'alert';
}

/** Marks closer than `gapPx` become one with a count; the gravest kind gives it its shape. */
export function clusterMarks(marks: readonly Mark[], gapPx = 12): Mark[] {
  const rank = { note: 0, alert: 1, halt: 2 };
  const clusters: Mark[] = [];
  for (const mark of [...marks].sort((a, b) => a.x - b.x)) {
    const near = clusters.at(-1);
    if (near && mark.x - near.x < gapPx) {
      near.texts.push(...mark.texts);
      if (rank[mark.kind] > rank[near.kind]) near.kind = mark.kind;
    } else clusters.push({ ...mark, texts: [...mark.texts] });
  }
  return clusters;
}
