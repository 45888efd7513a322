'use client';

import {
  type Answer,
  brokenAnswer,
  byGravity,
  currentReport,
  isAbnormal,
  lossAnswer,
  notOursAnswer,
  recoveryAnswer,
} from '../answers/answers.ts';
import { type LiveState, useConnection } from '../stores/connection-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { spokenDuration } from '../visual/quantity.ts';
import { BORDER, INK, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** Lines of an answer that a room can take in. */
const LINES = 5;
/** The same where the screen is low, so that none is cut off. */
const LINES_LOW = 3;
const LOW_HIDDEN = 'wide:[@media(max-height:960px)]:hidden';
const COLUMNS = ['', 'wide:grid-cols-1', 'wide:grid-cols-2', 'wide:grid-cols-3', 'wide:grid-cols-2'] as const;

/** What have we broken, what broke by itself, is work lost, is it recovering: the gravest first and large. */
export function WallAnswers() {
  const nowMs = useClock(500);
  const state = useSystem((store) => store.state);
  const faults = useFaults((store) => store.faults);
  const live = useLive();
  const heard = useConnection((store) => store.tickAt !== null);
  const pipeline = currentReport(state);
  const reportAgeMs = state?.pipeline?.ageMs ?? null;
  const stale = staleClass(live, reportAgeMs);
  const answers = byGravity([
    brokenAnswer(faults, nowMs),
    notOursAnswer(state, faults ?? []),
    lossAnswer(pipeline?.ledger ?? null),
    recoveryAnswer(pipeline, serverNow()),
  ]);
  const abnormal = answers.filter(isAbnormal);
  const well = answers.filter((answer) => !isAbnormal(answer));
  return (
    <>
      {stale && state && (
        <p className="text-[24px] font-semibold text-degraded-ink" data-testid="wall-stale" role="status">
          Not the present: {staleReason(live, heard, reportAgeMs)}
        </p>
      )}
      {abnormal.length > 0 && (
        <ul className={`grid min-h-0 flex-1 auto-rows-fr gap-3 ${COLUMNS[abnormal.length]}`}>
          {abnormal.map((answer) => (
            <LargeAnswer answer={answer} key={answer.id} larger={abnormal.length < 3} stale={stale} />
          ))}
        </ul>
      )}
      {well.length > 0 && (
        <ul
          className={`grid gap-3 ${COLUMNS[well.length]} ${abnormal.length === 0 ? 'min-h-0 flex-1 wide:auto-rows-fr' : ''}`}
        >
          {well.map((answer) => (
            <WellAnswer answer={answer} key={answer.id} large={abnormal.length === 0} stale={stale} />
          ))}
        </ul>
      )}
    </>
  );
}

/** Who is silent; how old the stream is, stands beside STALE. */
function staleReason(live: LiveState, heard: boolean, reportAgeMs: number | null): string {
  if (live === 'connecting') return 'connecting';
  if (live === 'stale' || live === 'no-data') return heard ? 'no data arrives' : 'no data yet';
  if (reportAgeMs === null) return 'the pipeline does not report';
  return `the pipeline was last heard ${spokenDuration(reportAgeMs)} ago`;
}

interface LargeAnswerProps {
  answer: Answer;
  stale: string;
  /** There is room for it. */
  larger: boolean;
}

function LargeAnswer({ answer, stale, larger }: LargeAnswerProps) {
  const { id, question, status, headline, lines } = answer;
  return (
    <li
      className={`panel flex min-h-0 min-w-0 flex-col gap-2 overflow-hidden border-4! px-5 py-3 wide:[@media(max-height:960px)]:gap-1 wide:[@media(max-height:960px)]:py-2 ${BORDER[status] ?? ''} ${status === 'injected' ? 'hatch' : ''} ${stale}`}
      data-status={status}
      data-testid={`wall-${id}`}
    >
      <h2 className="text-[22px] font-semibold text-muted">{question}</h2>
      <p
        className={`flex items-center gap-3 text-[40px] leading-tight font-bold ${larger ? 'wide:text-[56px]' : ''} ${INK[status]}`}
      >
        <StatusMark size={34} status={status} />
        {headline}
      </p>
      {lines.slice(0, LINES).map((line, index) => (
        <p
          className={`text-[24px] [overflow-wrap:anywhere] ${larger ? 'wide:text-[30px]' : 'wide:[@media(max-height:960px)]:text-[20px]'} ${index < LINES_LOW ? '' : LOW_HIDDEN}`}
          key={line}
        >
          {line}
        </p>
      ))}
      <More all={lines.length} className={LOW_HIDDEN} shown={LINES} />
      <More all={lines.length} className="hidden wide:[@media(max-height:960px)]:block" shown={LINES_LOW} />
    </li>
  );
}

function More({ all, shown, className }: { all: number; shown: number; className: string }) {
  if (all <= shown) return null;
  return <p className={`text-[22px] text-muted ${className}`}>and {all - shown} more</p>;
}

interface WellAnswerProps {
  answer: Answer;
  stale: string;
  /** All is well: the room is theirs. */
  large: boolean;
}

function WellAnswer({ answer, stale, large }: WellAnswerProps) {
  const { id, question, headline, status, lines } = answer;
  return (
    <li
      className={`panel flex min-w-0 flex-wrap content-center items-center gap-x-4 px-5 py-3 ${large ? 'wide:flex-col wide:flex-nowrap wide:items-start wide:gap-y-2 wide:px-8 wide:py-7' : ''} ${stale}`}
      data-status={status}
      data-testid={`wall-${id}`}
    >
      <h2 className={`text-[22px] font-semibold text-muted ${large ? 'wide:text-[28px]' : ''}`}>
        {question}
      </h2>
      <p
        className={`inline-flex items-center gap-3 text-[28px] font-semibold ${large ? 'wide:text-[60px] wide:leading-tight' : ''}`}
      >
        <StatusMark size={large ? 28 : 20} status="normal" />
        {headline}
      </p>
      {lines[0] && <p className={`text-muted ${large ? 'wide:text-[28px]' : ''}`}>{lines[0]}</p>}
    </li>
  );
}
