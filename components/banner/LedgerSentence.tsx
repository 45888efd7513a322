'use client';

import { useSystem } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { count } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';

/** Is work being lost? One sentence over all accepted uploads. */
export function LedgerSentence() {
  const ledger = useSystem((store) => store.state?.pipeline?.ledger);
  const ageMs = useSystem((store) => store.state?.pipeline?.ageMs);
  const silent = useSystem((store) => store.state !== null && store.state.mode === null);
  const live = useLive();
  if (!ledger) {
    return (
      <p className="stale rounded-md border px-2 py-1 text-muted" data-testid="ledger" data-verdict="UNKNOWN">
        loss UNKNOWN, no report from the pipeline
      </p>
    );
  }
  const stale = staleClass(live, ageMs);
  // Nothing was lost then; whether it is now, only the pipeline could say.
  const verdict = silent ? 'UNKNOWN' : ledger.verdict;
  const unreadable = silent ? ['the pipeline'] : ledger.unreadable;
  const bad = ledger.lost > 0 || ledger.doubled > 0;
  const working = ledger.queued + ledger.parked + ledger.inFlight + ledger.inbox;
  const parts: [string, number, string][] = [
    ['accepted', ledger.accepted, 'Uploads that the FTP server has confirmed'],
    ['stored', ledger.stored, 'In the database'],
    [
      'in work',
      working,
      `queued ${ledger.queued} · parked ${ledger.parked} · in flight ${ledger.inFlight} · inbox ${ledger.inbox}`,
    ],
    ['moving', ledger.moving, 'Without a home in one round of reconciliation; lost only after the second'],
    ['duplicate', ledger.duplicate, 'Equal bytes'],
    ['quarantined', ledger.quarantined, 'Broken or partial'],
    ['dead-lettered', ledger.dlq, 'Given up after retries'],
    ['dropped', ledger.dropped, 'By a named policy'],
  ];
  const always = new Set(['accepted', 'stored', 'in work']);
  return (
    <p
      className={`flex flex-wrap items-center gap-x-4 gap-y-0.5 rounded-md border px-2.5 py-1 max-wide:gap-x-3 ${bad ? 'border-2 border-loss text-loss-ink' : 'border-line'} ${stale}`}
      data-doubled={ledger.doubled}
      data-lost={ledger.lost}
      data-testid="ledger"
      data-verdict={verdict}
      title={
        unreadable.length > 0 ? `Cannot read: ${unreadable.join(', ')}` : 'Every upload has exactly one home'
      }
    >
      {stale && <b className="font-semibold">when last heard</b>}
      {parts
        .filter(([word, value]) => value > 0 || always.has(word))
        .map(([word, value, help]) => (
          <span className="whitespace-nowrap text-muted" key={word} title={help}>
            <b className="font-semibold text-ink">{count(value)}</b>{' '}
            {word === 'dead-lettered' ? (
              <button
                className="underline decoration-line-strong underline-offset-2 hover:text-ink"
                onClick={() => useView.setState({ overlay: 'dlq' })}
                type="button"
              >
                {word}
              </button>
            ) : (
              word
            )}
          </span>
        ))}
      {(verdict !== 'UNKNOWN' || ledger.lost > 0) && (
        <LossPart ids={ledger.lostIds} value={ledger.lost} word="lost" />
      )}
      {ledger.doubled > 0 && <LossPart ids={ledger.doubledIds} value={ledger.doubled} word="doubled" />}
      {verdict === 'UNKNOWN' && (
        <span className="font-semibold text-degraded-ink">
          loss UNKNOWN{unreadable.length > 0 && `, cannot read ${unreadable.join(', ')}`}
        </span>
      )}
    </p>
  );
}

function LossPart({ value, word, ids }: { value: number; word: string; ids: readonly string[] }) {
  if (value === 0) {
    return (
      <span className="whitespace-nowrap text-muted">
        <b className="font-semibold text-ink">0</b> {word}
      </span>
    );
  }
  return (
    <span className="inline-flex min-w-0 items-center gap-1.5">
      <span className="inline-flex items-center gap-1 rounded bg-loss px-1.5 font-bold whitespace-nowrap text-on-fill">
        <StatusMark size={10} status="loss" />
        {count(value)} {word.toUpperCase()}
      </span>
      <span className="max-w-64 truncate font-mono text-[11px]" title={ids.join('\n')}>
        {ids.join(' ')}
      </span>
    </span>
  );
}
