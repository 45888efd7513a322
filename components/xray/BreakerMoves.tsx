'use client';

import { useMemo } from 'react';
import type { Fact } from '#lib/protocol/facts.ts';
import type { BreakerCall } from '#lib/protocol/state.ts';
import { OriginChip } from '../banner/ModeBanner.tsx';
import { useFacts } from '../stores/facts-store.ts';
import { sentence } from '../story/story-sentence.ts';
import { exactTime, spokenDuration, timeOfDay } from '../visual/quantity.ts';
import { INK, StatusMark } from '../visual/StatusMark.tsx';

interface BreakerMovesProps {
  breaker: string;
  /** Newest ones shown. */
  most: number;
}

/** What moved a breaker, newest first: each change with the calls that led to it. */
export function BreakerMoves({ breaker, most }: BreakerMovesProps) {
  const facts = useFacts((log) => log.facts);
  const moves = useMemo(
    () =>
      facts
        .filter((fact) => fact.type === 'breakerChanged' && fact.data.breaker === breaker)
        .slice(-most)
        .reverse(),
    [facts, breaker, most],
  );
  return (
    <div>
      <h3 className="panel-title mb-1">What moved it</h3>
      {moves.length === 0 && <p className="text-muted">It has not moved.</p>}
      <ol className="space-y-1.5" data-testid="breaker-moves">
        {moves.map((fact) => (
          <Move fact={fact} key={fact.seq} />
        ))}
      </ol>
    </div>
  );
}

function Move({ fact }: { fact: Fact }) {
  const calls = fact.type === 'breakerChanged' ? (fact.data.calls ?? []) : [];
  return (
    <li>
      <p className="flex gap-3">
        <time className="text-faint" dateTime={new Date(fact.at).toISOString()} title={exactTime(fact.at)}>
          {timeOfDay(fact.at)}
        </time>
        {sentence(fact).text}
      </p>
      {calls.length > 0 && (
        <ol className="mt-0.5 ml-1.5 space-y-0.5 border-l border-line pl-3 text-[12px] text-muted">
          {calls.map((call, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the calls of a change never change
            <Call call={call} key={index} />
          ))}
        </ol>
      )}
    </li>
  );
}

function Call({ call }: { call: BreakerCall }) {
  const failed = call.error !== null;
  return (
    <li className="flex flex-wrap items-baseline gap-x-2" data-testid="breaker-call">
      <span className={INK[failed ? 'open' : 'recovered']}>
        <StatusMark size={9} status={failed ? 'open' : 'recovered'} />
      </span>
      <span className="text-faint">{timeOfDay(call.at)}</span>
      <span>
        {failed ? 'failed' : 'trial went well'}
        {call.durationMs !== null && ` ${failed ? 'after' : 'in'} ${spokenDuration(call.durationMs)}`}
      </span>
      {call.origin && <OriginChip origin={call.origin} />}
      {call.error && <span className="min-w-0 [overflow-wrap:anywhere]">{call.error}</span>}
    </li>
  );
}
