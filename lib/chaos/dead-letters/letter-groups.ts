import type { DeadLetter } from './dead-letter.ts';

/** Letters of one queue that failed in the same way. Times epoch ms. */
export interface LetterGroup {
  queue: string;
  signature: string;
  /** Among the letters looked at. */
  count: number;
  /** Among all that were given, older ones than those looked at too. */
  total: number;
  /** Of `total`. */
  redrivable: number;
  /** Of `count`: with a fault of ours in force. */
  injected: number;
  /** Of `count`: given back before, and back here. */
  cameBack: number;
  redrivesMax: number;
  faultIds: string[];
  newestAt: number;
  oldestAt: number;
  /** Text of the newest error. */
  error: string;
}

export interface LetterGroups {
  /** The largest first, then the newest. */
  groups: LetterGroup[];
  /** Groups left out: there are more than `GROUPS_MAX`. */
  more: number;
  looked: number;
  total: number;
}

/** What one answer may hold. */
const GROUPS_MAX = 200;
const ERROR_MAX = 300;
const FAULTS_MAX = 20;
const FAULTS_COUNTED = 100;

/**
 * Groups the first `window` letters of `letters`, which are newest first, by queue and signature; the rest is only
 * counted, into the groups that are there.
 */
export function groupLetters(
  letters: Iterable<DeadLetter>,
  { window, isRedrivable }: { window: number; isRedrivable: (letter: DeadLetter) => boolean },
): LetterGroups {
  const byQueue = new Map<string, Map<string, LetterGroup>>();
  let total = 0;
  for (const letter of letters) {
    total++;
    const ofQueue = byQueue.get(letter.queue) ?? new Map<string, LetterGroup>();
    byQueue.set(letter.queue, ofQueue);
    let group = ofQueue.get(letter.signature);
    if (!group) {
      if (total > window) continue;
      group = startGroup(letter);
      ofQueue.set(letter.signature, group);
    }
    group.total++;
    if (isRedrivable(letter)) group.redrivable++;
    if (total <= window) include(group, letter);
  }
  const groups = [...byQueue.values()].flatMap((ofQueue) => [...ofQueue.values()]);
  groups.sort((a, b) => b.count - a.count || b.newestAt - a.newestAt);
  return {
    groups: groups.slice(0, GROUPS_MAX),
    more: Math.max(0, groups.length - GROUPS_MAX),
    looked: Math.min(total, window),
    total,
  };
}

/** Faults in force at the first `window` letters, the most frequent first. */
export function countFaults(
  letters: Iterable<DeadLetter>,
  { window }: { window: number },
): { id: string; count: number }[] {
  const counts = new Map<string, number>();
  let looked = 0;
  for (const { faultIds } of letters) {
    if (++looked > window) break;
    for (const id of faultIds) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts]
    .map(([id, count]) => ({ id, count }))
    .sort((a, b) => b.count - a.count)
    .slice(0, FAULTS_COUNTED);
}

function startGroup({ queue, signature, error, lastFailedAt }: DeadLetter): LetterGroup {
  return {
    queue,
    signature,
    count: 0,
    total: 0,
    redrivable: 0,
    injected: 0,
    cameBack: 0,
    redrivesMax: 0,
    faultIds: [],
    newestAt: lastFailedAt,
    oldestAt: lastFailedAt,
    error: error.message.slice(0, ERROR_MAX),
  };
}

function include(group: LetterGroup, { faultIds, redrives, lastFailedAt }: DeadLetter): void {
  group.count++;
  if (faultIds.length > 0) group.injected++;
  if (redrives > 0) group.cameBack++;
  group.redrivesMax = Math.max(group.redrivesMax, redrives);
  group.newestAt = Math.max(group.newestAt, lastFailedAt);
  group.oldestAt = Math.min(group.oldestAt, lastFailedAt);
  for (const id of faultIds) {
    if (group.faultIds.length < FAULTS_MAX && !group.faultIds.includes(id)) group.faultIds.push(id);
  }
}
