'use client';

import { useFaults } from '../stores/faults-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { BORDER, INK, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import {
  type Answer,
  brokenAnswer,
  currentReport,
  isAbnormal,
  notOursAnswer,
  recoveryAnswer,
} from './answers.ts';

/** Lines of an answer that fit beside the others; the panels below have them all. */
const LINES: Record<Answer['id'], number> = { broken: 3, 'not-ours': 1, recovery: 1, loss: 1 };

/** What have we broken, what broke by itself, is it recovering: in a line each, always in the same place. */
export function AnswerStrip() {
  const nowMs = useClock(500);
  const state = useSystem((store) => store.state);
  const faults = useFaults((store) => store.faults);
  const live = useLive();
  const report = currentReport(state);
  const ofControl = staleClass(live, 0);
  const ofReport = staleClass(live, report?.ageMs ?? 0);
  const answers: [Answer, string][] = [
    [brokenAnswer(faults, nowMs), ofControl],
    [notOursAnswer(state, faults ?? []), ofReport],
    [recoveryAnswer(report, serverNow()), ofReport],
  ];
  return (
    <section aria-label="At a glance">
      <ul className="grid gap-1.5 wide:grid-cols-[minmax(0,5fr)_minmax(0,3fr)_minmax(0,3fr)]">
        {answers.map(([answer, stale]) => (
          <GlanceAnswer answer={answer} heard={state !== null} key={answer.id} stale={stale} />
        ))}
      </ul>
    </section>
  );
}

/** On a narrow screen what is well goes, but for what we have broken; so does what nothing was heard of yet. */
function GlanceAnswer({ answer, stale, heard }: { answer: Answer; stale: string; heard: boolean }) {
  const { id, question, status, headline, lines } = answer;
  const narrow = (heard && isAbnormal(answer)) || id === 'broken' ? '' : 'max-wide:hidden';
  return (
    <li
      className={`panel flex min-h-7 min-w-0 flex-wrap content-center items-center gap-x-3 px-2.5 py-0.5 text-[12px] ${BORDER[status] ?? ''} ${status === 'injected' ? 'hatch' : ''} ${stale} ${narrow}`}
      data-status={status}
      data-testid={`answer-${id}`}
    >
      <span className="text-muted">{question}</span>
      {stale && heard && <b className="font-semibold">when last heard</b>}
      <b className={`inline-flex items-center gap-1 whitespace-nowrap ${INK[status]}`}>
        <StatusMark size={10} status={status} />
        {headline}
      </b>
      {lines.slice(0, LINES[id]).map((line) => (
        <span className="max-w-full truncate" key={line} title={line}>
          {line}
        </span>
      ))}
      {lines.length > LINES[id] && <span className="text-muted">and {lines.length - LINES[id]} more</span>}
    </li>
  );
}
