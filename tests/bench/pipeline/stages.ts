import type { FrameTimes } from './load-process.ts';

/** A frame's way, each step in ms; null where the log does not tell. */
export type StageTimes = Readonly<Record<Stage, number | null>>;

export const STAGES = [
  'FTP upload to acceptance',
  'accepted to validated (read, decode, hash)',
  'validated to queued',
  'queued to detected and stored',
  'stored to its batch closing',
  'batch closed to event stored',
  'event stored to a viewer',
] as const;
type Stage = (typeof STAGES)[number];

const MARKS = [
  'upload accepted',
  'upload validated',
  'detection queued',
  'upload stored',
  'batch closed',
  'event stored',
];

/** Where each frame's time went, from the pipeline's log and what the load generator saw; frames not seen are left out. */
export function stageTimes(
  log: readonly Record<string, unknown>[],
  frames: readonly FrameTimes[],
): StageTimes[] {
  const reached = new Map<string, Map<string, number>>();
  for (const line of log) {
    const mark = line['msg'];
    if (typeof mark !== 'string' || !MARKS.includes(mark)) continue;
    const uploads = line['uploads'];
    const ids = Array.isArray(uploads) ? (uploads as string[]) : [String(line['uploadId'])];
    for (const id of ids) {
      const times = reached.get(id) ?? new Map<string, number>();
      reached.set(id, times);
      if (!times.has(mark)) times.set(mark, Date.parse(String(line['time'])));
    }
  }
  return frames.map(({ uploadId, startedAt, seenAt }) => {
    const times = reached.get(uploadId);
    const way = [startedAt, ...MARKS.map((mark) => times?.get(mark) ?? null), seenAt];
    const steps = STAGES.map((stage, index) => {
      const [from, to] = [way[index] ?? null, way[index + 1] ?? null];
      return [stage, from === null || to === null ? null : Math.max(0, to - from)] as const;
    });
    return Object.fromEntries(steps) as Record<Stage, number | null>;
  });
}
