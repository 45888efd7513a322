import type { Page } from 'playwright-core';
import type { Fault } from '#lib/protocol/faults.ts';
import type { State } from '#lib/protocol/state.ts';
import { seenText } from './seen.ts';

/** Where the main screen answers each question; `halted` is there only then. */
const PLACES = {
  live: 'live-status',
  mode: 'mode',
  why: 'mode-why',
  broken: 'answer-broken',
  notOurs: 'answer-not-ours',
  ledger: 'ledger',
  recovery: 'answer-recovery',
  stop: 'halt-button',
  halted: 'halted-banner',
} as const;

export type Question = keyof typeof PLACES;
/** What a person reads there without scrolling. */
type Glance = Record<Question, string>;

/** What stays on top on a phone, whatever happens. */
export const PHONE_QUESTIONS: readonly Question[] = [
  'live',
  'mode',
  'why',
  'broken',
  'ledger',
  'stop',
  'halted',
];

export async function readGlance(page: Page): Promise<Glance> {
  const read = Object.entries(PLACES).map(async ([question, testId]) => {
    const [place] = await page.getByTestId(testId).all();
    return [question, place ? (await seenText(place)).replaceAll('\u202f', '') : ''];
  });
  return Object.fromEntries(await Promise.all(read)) as Glance;
}

/** A clock on the page may be this far from the backend's own: it is read a moment later, on a busy machine. */
const CLOCK_SLACK_MS = 6_000;
/** The page's ledger may be this many uploads behind or ahead. */
const LEDGER_SLACK = 8;
/** Lines of an answer that are shown. */
const FAULTS_SHOWN = 3;
const CAUSES_ON_PHONE = 2;
/** Waiting work that is older must be caught up on. */
const LATE_MS = 10_000;

/** What a glance does not say of what the backend says. `old`: `state` is what was heard last, and shown as that. */
export function glanceProblems(glance: Glance, state: State, onPhone: boolean, old = false): string[] {
  const problems = [
    ...modeProblems(glance, state, onPhone, old),
    ...brokenProblems(glance, state, old),
    ...ledgerProblems(glance, state),
  ];
  if (!glance.stop.includes('HALT ALL')) problems.push('stop: not seen');
  if (onPhone) return problems;
  const organic = organicNames(state);
  const wrong = /(\d+) things? (is|are) wrong/.test(glance.notOurs);
  if (organic.length === 0 ? wrong : !organic.some((name) => glance.notOurs.includes(name)))
    problems.push(`notOurs: ${organic.join(', ') || 'nothing'} is not ours`);
  const recovery = recoveryWords(state);
  if (!recovery.test(glance.recovery)) problems.push(`recovery: no ${recovery}`);
  return problems;
}

function modeProblems({ mode, why }: Glance, state: State, onPhone: boolean, old: boolean): string[] {
  const problems: string[] = [];
  if (!mode.startsWith(state.mode ?? 'UNKNOWN')) problems.push(`mode: is ${state.mode}`);
  const { pipeline } = state;
  if (pipeline && old) {
    const since = new Date(pipeline.mode.since).toTimeString().slice(0, 8);
    if (!why.includes(`since ${since}`)) problems.push(`why: since ${since}`);
  } else if (pipeline) {
    const forMs = state.mode === null ? pipeline.ageMs : state.at - pipeline.mode.since;
    if (!isNear(mode, forMs)) problems.push(`mode: for ${forMs} ms`);
  }
  const causes = onPhone ? state.modeCause.slice(0, CAUSES_ON_PHONE) : state.modeCause;
  for (const { service, origin } of causes) {
    const word = origin === 'injected' ? 'INJECTED' : 'NOT OURS';
    if (!why.includes(service) || !why.includes(word)) problems.push(`why: ${service} ${word}`);
  }
  if (why === '') problems.push('why: not seen');
  return problems;
}

/** Those that end first, each with service, kind, owner and the time left. */
function brokenProblems({ broken }: Glance, { faults }: State, old: boolean): string[] {
  if (faults.length === 0) return /Nothing/.test(broken) ? [] : ['broken: nothing is'];
  const soonest = faults.toSorted((one, other) => one.leftMs - other.leftMs).slice(0, FAULTS_SHOWN);
  const missing = soonest.filter((fault) => {
    const at = broken.indexOf(`${faultWords(fault)} · `);
    return at < 0 || !(old ? /\d:\d\d left/.test(broken) : isNear(broken.slice(at), fault.leftMs));
  });
  return [
    ...missing.map((fault) => `broken: ${faultWords(fault)}, ${fault.leftMs} ms left`),
    ...(new RegExp(`\\b${faults.length} faults?\\b`).test(broken) ? [] : [`broken: ${faults.length} faults`]),
  ];
}

function faultWords({ service, title, owner }: Fault): string {
  const kind = /^[A-Z]{2}/.test(title) ? title : title.charAt(0).toLowerCase() + title.slice(1);
  return `${service} ${kind} · ${owner.name}`;
}

function ledgerProblems({ ledger }: Glance, { pipeline, mode }: State): string[] {
  if (!pipeline) return /UNKNOWN/.test(ledger) ? [] : ['ledger: unknown'];
  const { accepted, lost, verdict } = pipeline.ledger;
  const problems: string[] = [];
  const shown = Number(/(\d+) accepted/.exec(ledger)?.[1]);
  if (!(Math.abs(shown - accepted) <= LEDGER_SLACK)) problems.push(`ledger: ${accepted} accepted`);
  const loss =
    (mode === null || verdict === 'UNKNOWN') && lost === 0
      ? /loss UNKNOWN/
      : new RegExp(`\\b${lost} lost\\b`, 'i');
  if (!loss.test(ledger)) problems.push(`ledger: no ${loss}`);
  return problems;
}

/** What broke by itself, as far as anybody reports. */
function organicNames({ mode, modeCause, pipeline, supervisor, agents }: State): string[] {
  const report = mode === null ? null : pipeline;
  const ours = new Set(
    supervisor?.processes.flatMap(({ name, state }) =>
      state === 'held' || state === 'paused' ? [name] : [],
    ),
  );
  return [
    ...modeCause.flatMap(({ service, origin }) => (origin === 'organic' ? [service] : [])),
    ...(report?.services ?? []).flatMap(({ name, origin }) => (origin === 'organic' ? [name] : [])),
    ...(report?.dependencies ?? []).flatMap(({ name, organic }) => (organic > 0 ? [name] : [])),
    ...agents.flatMap(({ name, lastSeenMs }) =>
      (lastSeenMs ?? 0) > LATE_MS && !ours.has(name as never) ? [name] : [],
    ),
  ];
}

function recoveryWords({ mode, pipeline }: State): RegExp {
  if (mode === null || !pipeline) return /No report/;
  const late = pipeline.queues.some(
    ({ depth, parked, oldestAgeMs, tier }) =>
      depth + parked > 0 && (parked > 0 || tier !== 'redis' || (oldestAgeMs ?? 0) > LATE_MS),
  );
  const open = pipeline.breakers.some(({ state }) => state !== 'CLOSED');
  return mode === 'NORMAL' && !late && !open && pipeline.ledger.owed === 0
    ? /Nothing to recover|RECOVERED/
    : /NOT YET|ON TRIAL|RECOVERING/;
}

/** Whether the first `m:ss` (or `h:mm:ss`) in a text is about that long. */
function isNear(text: string, ms: number): boolean {
  const clock = /(?:(\d+):)?(\d+):(\d\d)/.exec(text);
  if (!clock) return false;
  const [, hours = '0', minutes = '0', seconds = '0'] = clock;
  const shownMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return Math.abs(shownMs - ms) <= CLOCK_SLACK_MS;
}
