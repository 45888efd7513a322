'use client';

import dynamic from 'next/dynamic';
import { useCallback, useEffect } from 'react';
import { extendFault } from '../desk/fault-commands.ts';
import { fetchPart } from '../fetch-part.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useView } from '../stores/view-store.ts';
import { toggleFreeze } from '../top-bar/TopBar.tsx';
import { useAtRest } from '../use-at-rest.ts';
import { useKeys } from '../visual/use-clock.ts';
import { useHaltKeys } from './use-halt-keys.ts';

const Palette = dynamic(() => fetchPart(() => import('./Palette.tsx')), { ssr: false });
const Help = dynamic(() => fetchPart(() => import('./Help.tsx')), { ssr: false });
const NoteBox = dynamic(() => fetchPart(() => import('./NoteBox.tsx')), { ssr: false });
const BreakerXray = dynamic(() => fetchPart(() => import('../xray/BreakerXray.tsx')), { ssr: false });
const DeadLetters = dynamic(() => fetchPart(() => import('../dlq/DeadLetters.tsx')), { ssr: false });

/** What a key or a click opens must be there at once: fetched when the page has come to rest. What fails says so then. */
function preload(): void {
  const opened = [
    () => import('./Palette.tsx'),
    () => import('./NoteBox.tsx'),
    () => import('../desk/FaultForm.tsx'),
    () => import('../faults/FaultDetails.tsx'),
  ];
  for (const load of opened) fetchPart<unknown>(load).catch(() => {});
}

/** The keyboard of the whole page, and what opens over it. */
export function Overlays() {
  const overlay = useView((view) => view.overlay);
  const onKey = useCallback((event: KeyboardEvent) => {
    const meta = event.metaKey || event.ctrlKey;
    if (meta && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      useView.setState((view) => ({ overlay: view.overlay === 'palette' ? null : 'palette' }));
      return;
    }
    if (meta || event.altKey || isTyping(event.target)) return;
    if (useView.getState().overlay !== null) {
      // What was asked for may not have been fetched yet: then nobody else closes it.
      const isOpen = document.querySelector('[role="dialog"]') !== null;
      if (event.key === 'Escape' && !isOpen) useView.setState({ overlay: null });
      return;
    }
    if (event.key === 'f') toggleFreeze();
    if (event.key === 'a') {
      event.preventDefault(); // the letter would be typed into the box that it opens
      useView.setState({ overlay: 'note' });
    }
    if (event.key === '?') useView.setState({ overlay: 'help' });
    if (event.key === '.') {
      const newest = useFaults.getState().faults?.toSorted((a, b) => b.startedAt - a.startedAt)[0];
      if (newest) void extendFault(newest);
    }
  }, []);
  useHaltKeys();
  useKeys(onKey);
  const atRest = useAtRest();
  useEffect(() => {
    if (atRest) preload();
  }, [atRest]);
  return (
    <>
      {overlay === 'palette' && <Palette />}
      {overlay === 'help' && <Help />}
      {overlay === 'note' && <NoteBox />}
      {overlay === 'dlq' && <DeadLetters />}
      {overlay !== null && typeof overlay === 'object' && <BreakerXray name={overlay.xray} />}
    </>
  );
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('[role="dialog"]')) return true; // single keys belong to the page
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  )
    return true;
  return target instanceof HTMLInputElement && target.type !== 'checkbox' && target.type !== 'range';
}
