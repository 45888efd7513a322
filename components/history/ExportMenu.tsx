'use client';

import { Download } from 'lucide-react';
import { type KeyboardEvent, useRef } from 'react';
import { type ExportFormat, type ExportSubject, saveExport } from './export-file.ts';

const FILES: readonly [ExportSubject, ExportFormat, string][] = [
  ['facts', 'csv', 'Facts as CSV'],
  ['facts', 'json', 'Facts as JSON'],
  ['series', 'csv', 'Series as CSV'],
  ['series', 'json', 'Series as JSON'],
];

/** Files of what the time axis shows. Closes by itself, by Escape, and when the focus goes elsewhere. */
export function ExportMenu() {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (menu.current) menu.current.open = false;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !menu.current?.open) return;
    close();
    menu.current.querySelector('summary')?.focus();
  };
  return (
    <details
      className="relative"
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && close()}
      onKeyDown={onKeyDown}
      ref={menu}
    >
      <summary
        className="small-button cursor-pointer list-none [&::-webkit-details-marker]:hidden"
        data-testid="export"
        title="Save what the time axis shows as a file"
      >
        <Download aria-hidden="true" size={13} /> Export
      </summary>
      <ul className="panel absolute right-0 z-30 mt-1 flex w-40 flex-col p-1 shadow-2xl">
        {FILES.map(([subject, format, words]) => (
          <li key={words}>
            <button
              className="min-h-7 w-full rounded px-2 text-left hover:bg-raised"
              data-testid={`export-${subject}-${format}`}
              onClick={() => {
                close();
                void saveExport(subject, format, null);
              }}
              type="button"
            >
              {words}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
