'use client';

import { useMemo, useState } from 'react';
import { saveExport } from '../history/export-file.ts';
import { useHistory } from '../history/history-store.ts';
import { pictureSource } from '../history/picture-source.ts';
import { useFacts } from '../stores/facts-store.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { count } from '../visual/quantity.ts';
import { useClock } from '../visual/use-clock.ts';
import { FactFilters } from './FactFilters.tsx';
import { FactLine } from './FactLine.tsx';
import { useFactFilter } from './fact-filter-store.ts';
import { faultsOf, selectFacts } from './fact-selection.ts';
import { NoteLine } from './NoteLine.tsx';

const LINES = 300;

/** The facts of the window in plain words, newest first: filtered, linked, exported, annotated. */
export function FactPanel() {
  const second = useClock(1_000);
  const windowMs = useView((view) => view.windowMs);
  const frozenAt = useView((view) => view.frozenAt);
  const live = useFacts((log) => log.facts);
  const past = useHistory((store) => store.past);
  const phase = useHistory((store) => store.phase);
  const filter = useFactFilter((store) => store.filter);
  const selectedSeq = useFactFilter((store) => store.selectedSeq);
  const [lines, setLines] = useState(LINES);
  // The window moves with the clock, the source with what has been loaded.
  // biome-ignore lint/correctness/useExhaustiveDependencies: they say when to look again
  const { shown, hidden, faults } = useMemo(() => {
    const toAt = frozenAt ?? serverNow();
    const fromAt = toAt - windowMs;
    const source = pictureSource(fromAt, toAt);
    const offered = faultsOf(
      source.facts.filter((fact) => fact.at <= toAt),
      source.faults,
    );
    return { ...selectFacts(source.facts, { fromAt, toAt }, filter), faults: offered };
  }, [second, windowMs, frozenAt, live, past, phase, filter]);
  const gap = frozenAt !== null && past?.gap;
  return (
    <section
      aria-label="Facts"
      className="panel order-1 flex min-h-60 flex-col wide:order-none"
      data-testid="facts"
    >
      <div className="flex flex-col gap-1.5 border-b border-line px-3 py-2">
        <h2 className="panel-title flex justify-between">
          Facts
          <span data-testid="fact-count">
            {count(shown.length)}
            {hidden > 0 && ` of ${count(shown.length + hidden)}`}
          </span>
        </h2>
        <FactFilters faults={faults} />
        <div className="flex flex-wrap items-center gap-1.5">
          <ExportFacts />
          <NoteLine />
        </div>
      </div>
      <ol className="min-h-0 flex-1 overflow-y-auto py-1 max-wide:max-h-[60dvh]" {...KEYBOARD_SCROLL}>
        {gap && <li className="px-3 py-1.5 text-degraded-ink">Some facts of this window are gone.</li>}
        {shown.length === 0 && (
          <li className="px-3 py-1.5 text-muted">
            {phase === 'loading'
              ? 'Loading…'
              : hidden > 0
                ? `Nothing in this window passes the filter; ${count(hidden)} hidden.`
                : 'Nothing happened in this window.'}
          </li>
        )}
        {shown.slice(0, lines).map((fact) => (
          <FactLine fact={fact} key={fact.seq} selected={fact.seq === selectedSeq} />
        ))}
        {shown.length > lines && (
          <li className="px-3 py-1.5">
            <button className="small-button" onClick={() => setLines(lines + LINES)} type="button">
              Show {LINES} more of {count(shown.length)}
            </button>
          </li>
        )}
      </ol>
    </section>
  );
}

/** The listed facts as a file, filtered as they are. */
function ExportFacts() {
  const save = (format: 'csv' | 'json') => () =>
    void saveExport('facts', format, useFactFilter.getState().filter);
  return (
    <>
      <button className="small-button" data-testid="save-facts-csv" onClick={save('csv')} type="button">
        CSV
      </button>
      <button className="small-button" data-testid="save-facts-json" onClick={save('json')} type="button">
        JSON
      </button>
    </>
  );
}
