import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerStatus, LedgerStatus, PipelineReport, QueueStatus, State } from '#lib/protocol/state.ts';
import { causeText } from '../banner/cause-text.ts';
import { inSentence } from '../faults/fault-words.ts';
import { faultsOn, SEVERITY } from '../services/service-view.ts';
import { clockDuration, compact, count, spokenDuration } from '../visual/quantity.ts';
import type { Status } from '../visual/StatusMark.tsx';

/** One of the questions that a glance must answer. */
export interface Answer {
  id: 'broken' | 'not-ours' | 'loss' | 'recovery';
  question: string;
  status: Status;
  headline: string;
  /** What stands behind it, gravest first. */
  lines: string[];
}

/** What is shown large: everything but well, and well again. */
export function isAbnormal({ status }: Answer): boolean {
  return status !== 'normal';
}

/** Biggest abnormal things first. */
export function byGravity(answers: readonly Answer[]): Answer[] {
  return [...answers].sort((a, b) => SEVERITY[a.status] - SEVERITY[b.status]);
}

/** What have we broken, who, how long left? `nowMs` is performance.now(); null: nothing was heard yet. */
export function brokenAnswer(
  faults: readonly (Fault & { deadlineMs: number })[] | null,
  nowMs: number,
): Answer {
  const base = { id: 'broken', question: 'Broken by us' } as const;
  if (!faults) return { ...base, status: 'unknown', headline: 'Not known yet', lines: [] };
  if (faults.length === 0) return { ...base, status: 'normal', headline: 'Nothing', lines: [] };
  const soonest = [...faults].sort((a, b) => a.deadlineMs - b.deadlineMs);
  return {
    ...base,
    status: 'injected',
    headline: faults.length === 1 ? '1 fault' : `${faults.length} faults`,
    lines: soonest.map(
      (fault) =>
        `${fault.service} ${inSentence(fault.title)} · ${fault.owner.name} · ${clockDuration(fault.deadlineMs - nowMs + 499)} left`,
    ),
  };
}

/**
 * The pipeline's report; null once it is so old that the mode is unknown: what was well then says nothing of now.
 */
export function currentReport(state: State | null): State['pipeline'] {
  return state && state.mode !== null ? state.pipeline : null;
}

/** A process connected but silent for longer hangs; a busy machine's hiccups are shorter, ms. */
const SILENT_MS = 5_000;

/** What broke that we did not break? */
export function notOursAnswer(state: State | null, faults: readonly Fault[]): Answer {
  const base = { id: 'not-ours', question: 'Not ours' } as const;
  if (!state) return { ...base, status: 'unknown', headline: 'Not known yet', lines: [] };
  const report = currentReport(state);
  const organic = new Map<string, string>();
  for (const cause of state.modeCause)
    if (cause.origin === 'organic') organic.set(cause.service, causeText(cause));
  for (const { name, healthy, origin, error } of report?.services ?? [])
    if (!healthy && origin === 'organic' && !organic.has(name))
      organic.set(name, causeText({ service: name, text: error ?? 'down' }));
  for (const { name, organic: failures } of report?.dependencies ?? [])
    if (failures > 0 && !organic.has(name))
      organic.set(name, `${name}: ${count(failures)} failed ${failures === 1 ? 'call' : 'calls'} in 10 s`);
  const away = new Set<string>();
  for (const { name, state: phase } of state.supervisor?.processes ?? []) {
    if (phase === 'held' || phase === 'paused') away.add(name); // our faults do that
    if (phase !== 'down' || faultsOn(name, faults).length > 0) continue;
    away.add(name);
    organic.set(`process ${name}`, `process ${name} is DOWN`);
  }
  for (const { name, connected, lastSeenMs } of state.agents)
    if ((!connected || (lastSeenMs ?? 0) > SILENT_MS) && !away.has(name))
      organic.set(`agent ${name}`, `${name} does not report`);
  const lines = [...organic.values()];
  if (lines.length > 0) {
    const headline = lines.length === 1 ? '1 thing is wrong' : `${lines.length} things are wrong`;
    return { ...base, status: 'open', headline, lines };
  }
  if (!report) return { ...base, status: 'unknown', headline: 'No report from the pipeline', lines };
  return { ...base, status: 'normal', headline: 'Nothing', lines };
}

/** Is work being lost? */
export function lossAnswer(ledger: LedgerStatus | null): Answer {
  const base = { id: 'loss', question: 'Work lost' } as const;
  if (!ledger) return { ...base, status: 'unknown', headline: 'No report from the pipeline', lines: [] };
  const working = ledger.queued + ledger.parked + ledger.inFlight + ledger.inbox;
  const given = [
    ledger.dlq > 0 && `${count(ledger.dlq)} dead-lettered, can be sent again`,
    ledger.dropped > 0 && `${count(ledger.dropped)} dropped by a named policy`,
  ].filter((line) => line !== false);
  const lines = [
    ...given,
    `${count(ledger.accepted)} accepted · ${count(ledger.stored)} stored · ${count(working)} in work`,
  ];
  if (ledger.lost > 0 || ledger.doubled > 0) {
    const doubled = ledger.doubled > 0 ? ` · ${count(ledger.doubled)} DOUBLED` : '';
    return { ...base, status: 'loss', headline: `${count(ledger.lost)} LOST${doubled}`, lines };
  }
  if (ledger.verdict === 'UNKNOWN') {
    const unread = ledger.unreadable.length > 0 ? [`cannot read ${ledger.unreadable.join(', ')}`] : [];
    return { ...base, status: 'unknown', headline: 'UNKNOWN', lines: [...unread, ...lines] };
  }
  return { ...base, status: given.length > 0 ? 'degraded' : 'normal', headline: '0 lost', lines };
}

/** How long after the way back to NORMAL that is still told, ms. */
const RECOVERED_MS = 10_000;
/** Older than this, waiting work is something to catch up on, ms. */
const WAIT_MS = 10_000;

/** Is it recovering? `now` is the server's clock. */
export function recoveryAnswer(pipeline: PipelineReport | null, now: number): Answer {
  const base = { id: 'recovery', question: 'Recovering' } as const;
  if (!pipeline) return { ...base, status: 'unknown', headline: 'No report from the pipeline', lines: [] };
  const queues = pipeline.queues.map(backlog).filter((each) => each !== null);
  const breakers = pipeline.breakers.filter(({ state }) => state !== 'CLOSED');
  const { owed } = pipeline.ledger;
  const lines = [
    ...breakers.map(breakerLine),
    ...queues.map(({ line }) => line),
    ...(owed > 0 ? [`${count(owed)} ${owed === 1 ? 'analysis' : 'analyses'} owed`] : []),
  ];
  const { mode, previous, since } = pipeline.mode;
  const stuck = queues.some(({ drains }) => !drains) || breakers.some(({ state }) => state !== 'HALF_OPEN');
  if (lines.length > 0 || mode !== 'NORMAL') {
    if (stuck || lines.length === 0) return { ...base, status: 'open', headline: 'NOT YET', lines };
    // A trial that has not succeeded says nothing of recovery yet.
    return { ...base, status: 'half', headline: breakers.length > 0 ? 'ON TRIAL' : 'RECOVERING', lines };
  }
  if (previous !== null && previous !== 'NORMAL' && now - since < RECOVERED_MS)
    return { ...base, status: 'recovered', headline: 'RECOVERED', lines };
  return { ...base, status: 'normal', headline: 'Nothing to recover', lines };
}

function breakerLine({ name, state, retryAfterMs, successes, successThreshold }: BreakerStatus): string {
  if (state === 'HALF_OPEN') return `${name} breaker HALF-OPEN, trial ${successes}/${successThreshold}`;
  if (state === 'FORCED_OPEN') return `${name} breaker held OPEN by hand`;
  const trial = retryAfterMs === null ? '' : `, trial in ${spokenDuration(retryAfterMs)}`;
  return `${name} breaker OPEN${trial}`;
}

/** What a queue has to catch up on, and how long that takes at the present rates; null: nothing. */
function backlog(queue: QueueStatus): { line: string; drains: boolean } | null {
  const waiting = Math.max(queue.depth, queue.parked);
  const late = (queue.oldestAgeMs ?? 0) > WAIT_MS || queue.parked > 0 || queue.tier !== 'redis';
  if (waiting === 0 || !late) return null;
  const perSecond = queue.outPerSecond - queue.inPerSecond;
  const drains = perSecond > 0 && queue.outPerSecond > 0;
  const trend = drains
    ? `empty in about ${spokenDuration((waiting / perSecond) * 1000)}`
    : perSecond < 0
      ? `growing by ${compact(-perSecond)}/s`
      : 'does not drain';
  const oldest = queue.oldestAgeMs === null ? '' : `, oldest ${spokenDuration(queue.oldestAgeMs)}`;
  const tier = queue.tier === 'redis' ? '' : ` in ${queue.tier}`;
  return { line: `${queue.name}: ${count(waiting)} wait${tier}${oldest}, ${trend}`, drains };
}
