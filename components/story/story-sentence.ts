import type { Fact } from '#lib/protocol/facts.ts';
import type { ServiceName } from '#lib/protocol/faults.ts';
import { type BreakerState, MODES, type Origin } from '#lib/protocol/state.ts';
import { causeText } from '../banner/cause-text.ts';
import { taskSentence } from '../dlq/dlq-words.ts';
import { inSentence, typeWords } from '../faults/fault-words.ts';
import { percent, spokenDuration } from '../visual/quantity.ts';

/** How grave a line is; decides shape and colour, never alone. */
export type Tone = 'quiet' | 'injected' | 'half' | 'degraded' | 'open' | 'recovered' | 'loss' | 'halt';

export interface Sentence {
  /** Who or what, set in bold. */
  lead: string;
  text: string;
  tone: Tone;
}

function origin(from: Origin | null): string {
  if (from === null) return '';
  return from === 'injected' ? ' (injected)' : ' (NOT OURS)';
}

function list(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}

const END_REASONS = {
  stopped: 'stopped',
  expired: 'time was up',
  owner_lost: 'its browser was gone',
  control_lost: 'ended by its process: control was silent',
  control_crashed: 'cut short by a crash of the control process',
  halted: 'halted',
  rolled_back: 'rolled back',
  injector_lost: 'the process it acted in is gone',
} as const;

/** Holds of the control process below this are told, not marked: two cores that are busy make them. */
const LAG_GRAVE_MS = 1_000;

/** The breaker's own reasons in words; whatever else it gives is told as it is. */
function openReason(reason: string): string {
  if (reason === 'failure_threshold') return '';
  return reason === 'trial_failed' ? ': the trial failed' : `: ${reason.replaceAll('_', ' ')}`;
}

function withoutName(service: ServiceName, error: string): string {
  const said = causeText({ service, text: error });
  return said.startsWith(`${service}: `) ? said.slice(service.length + 2) : said;
}

/** Source positions are for the log, not for the room. */
function withoutPaths(text: string): string {
  return text.replace(/ \((?:file:\/\/|\/)[^)]*\)/g, '');
}

/** One fact in plain words. */
export function sentence(fact: Fact): Sentence {
  switch (fact.type) {
    case 'controlStarted':
      return { lead: 'control', text: 'started; no fault is on', tone: 'quiet' };
    case 'faultStarted': {
      const { fault } = fact.data;
      const share = fault.ratio < 1 ? ` on ${percent(fault.ratio)} of calls` : '';
      const text = `broke ${fault.service}: ${inSentence(fault.title)}${share}, for ${spokenDuration(fault.ttlMs)}`;
      return { lead: fault.owner.name, text, tone: 'injected' };
    }
    case 'faultChanged': {
      const { fault, change, by } = fact.data;
      const what = `${fault.service} ${inSentence(fault.title)}`;
      const done = { strength: 'changed the strength of', extended: 'extended', takenOver: 'took over' }[
        change
      ];
      return { lead: by, text: `${done} ${what}`, tone: 'injected' };
    }
    case 'faultEnded': {
      const { service, faultType: type, title, reason, hits, receipt } = fact.data;
      const left = receipt?.remaining.length ? `; still recovering: ${list(receipt.remaining)}` : '';
      const silent = receipt && !receipt.acknowledged ? `; NOT ACKNOWLEDGED by ${receipt.injector}` : '';
      const text = `${typeWords({ type, title })} ended (${END_REASONS[reason]}) after ${hits} ${hits === 1 ? 'hit' : 'hits'}${silent}${left}`;
      return { lead: service, text, tone: silent ? 'open' : 'recovered' };
    }
    case 'leaseWarning':
      return {
        lead: fact.data.owner,
        text: `does not answer; the fault on ${fact.subject} ends in ${spokenDuration(fact.data.endsInMs)} unless it does, or somebody takes it over`,
        tone: 'degraded',
      };
    case 'halted': {
      const { by, reason, receipt } = fact.data;
      const missing = receipt.unacknowledged.length
        ? `; NOT ACKNOWLEDGED by ${list(receipt.unacknowledged)}`
        : '';
      const why = reason ? `, "${reason}"` : '';
      const text = `halted everything: ${receipt.faults.length} ${receipt.faults.length === 1 ? 'fault' : 'faults'} ended in ${Math.round(receipt.tookMs)} ms${missing}${why}`;
      return { lead: by, text, tone: 'halt' };
    }
    case 'resumed':
      return { lead: fact.data.by, text: `resumed, "${fact.data.reason}"`, tone: 'quiet' };
    case 'breakerChanged': {
      const { breaker, to, failures, reason } = fact.data;
      const words: Record<BreakerState, Pick<Sentence, 'text' | 'tone'>> = {
        OPEN: {
          text: `breaker OPEN after ${failures} ${failures === 1 ? 'failure' : 'failures'}${origin(fact.data.origin)}${openReason(reason)}`,
          tone: 'open',
        },
        HALF_OPEN: { text: 'breaker HALF-OPEN: a trial is let through', tone: 'half' },
        CLOSED: { text: 'breaker CLOSED again', tone: 'recovered' },
        FORCED_OPEN: { text: 'breaker held OPEN by hand', tone: 'open' },
      };
      return { lead: breaker, ...words[to] };
    }
    case 'modeChanged': {
      const { from, to, causes } = fact.data;
      const better = MODES.indexOf(to) < MODES.indexOf(from); // whose fault it was no longer matters
      const why = causes.map((cause) => `${causeText(cause)}${better ? '' : origin(cause.origin)}`);
      const because = why.length ? ` because ${list(why)}` : '';
      const tone = to === 'NORMAL' ? 'recovered' : to === 'DEGRADED' ? 'degraded' : 'open';
      return { lead: to, text: `mode, was ${from}${because}`, tone };
    }
    case 'serviceChanged': {
      const { service, healthy, error } = fact.data;
      return healthy
        ? { lead: service, text: 'is healthy again', tone: 'recovered' }
        : {
            lead: service,
            text: `is down${origin(fact.data.origin)}${error ? `: ${withoutName(service, error)}` : ''}`,
            tone: 'open',
          };
    }
    case 'deadLettered': {
      const ours = fact.data.faultIds.length > 0 ? ' (injected)' : '';
      return { lead: fact.data.queue, text: `dead letter${ours}: ${fact.data.error}`, tone: 'degraded' };
    }
    case 'deadLetterRedriven':
      return { lead: fact.data.queue, text: `dead letter ${fact.data.id} sent again`, tone: 'quiet' };
    case 'deadLetterPurged':
      return {
        lead: fact.data.queue,
        text: `dead letter ${fact.data.id} purged, "${fact.data.reason}"`,
        tone: 'degraded',
      };
    case 'deadLetterTask': {
      const { task } = fact.data;
      const tone = task.state === 'failed' || task.kind === 'purge' ? 'degraded' : 'quiet';
      return { lead: task.by, text: taskSentence(task), tone };
    }
    case 'ledgerChanged': {
      const { verdict, lost, lostIds, doubled } = fact.data;
      if (verdict === 'LOSS') {
        return { lead: 'LEDGER', text: `${lost} lost: ${list(lostIds)}; ${doubled} doubled`, tone: 'loss' };
      }
      const words = {
        BALANCED: 'balanced: every upload has its home',
        MOVING: 'some uploads are on their way',
        UNKNOWN: 'cannot be read',
      };
      return { lead: 'ledger', text: words[verdict], tone: verdict === 'UNKNOWN' ? 'degraded' : 'quiet' };
    }
    case 'alert':
      return {
        lead: fact.data.service ?? 'alert',
        text: withoutPaths(fact.data.text),
        tone: 'degraded',
      };
    case 'afterEffect':
      return {
        lead: fact.data.service,
        text: `${fact.data.text}${fact.data.over ? ' (over)' : ''}`,
        tone: fact.data.over ? 'recovered' : 'degraded',
      };
    case 'processChanged': {
      const { process, state, reason } = fact.data;
      const tone = state === 'up' ? 'recovered' : state === 'starting' ? 'quiet' : 'open';
      return { lead: process, text: `process ${state}${reason ? `: ${reason}` : ''}`, tone };
    }
    case 'agentChanged':
      return fact.data.connected
        ? { lead: fact.data.agent, text: 'reports', tone: 'quiet' }
        : { lead: fact.data.agent, text: 'does not report any more', tone: 'degraded' };
    case 'operatorChanged':
      return { lead: fact.data.name, text: fact.data.here ? 'is here' : 'left', tone: 'quiet' };
    case 'loopLag':
      return {
        lead: 'control',
        text: `was busy for ${spokenDuration(fact.data.lagMs)}`,
        tone: fact.data.lagMs < LAG_GRAVE_MS ? 'quiet' : 'degraded',
      };
    case 'note':
      return { lead: fact.data.by, text: fact.data.text, tone: 'quiet' };
    default: {
      // A newer server may send types that this page does not know.
      const unknown: { type: string; subject: string } = fact;
      return { lead: unknown.subject, text: unknown.type, tone: 'quiet' };
    }
  }
}

/** How long after a fault's start its consequences are told relative to it. */
const CONSEQUENCE_MS = 120_000;

/** What no fault of ours brings about: these keep their time of day. */
const NO_CONSEQUENCE: ReadonlySet<string> = new Set([
  'operatorChanged',
  'loopLag',
  'resumed',
  'controlStarted',
]);

/**
 * For each fact the start of the newest fault before it, when that was less than two minutes ago: the story then
 * reads "+2.1 s". Facts ascend by time.
 */
export function sinceFault(facts: readonly Fact[]): Map<number, number> {
  const since = new Map<number, number>();
  let startedAt: number | null = null;
  for (const fact of facts) {
    if (fact.type === 'faultStarted') startedAt = fact.at;
    else if (NO_CONSEQUENCE.has(fact.type)) continue;
    else if (startedAt !== null && fact.at - startedAt <= CONSEQUENCE_MS)
      since.set(fact.seq, fact.at - startedAt);
  }
  return since;
}
