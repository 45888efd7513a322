'use client';

import dynamic from 'next/dynamic';
import { fetchPart } from '../fetch-part.ts';
import { useHalt } from '../halt-command.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useAtRest } from '../use-at-rest.ts';

const Toasts = dynamic(() => fetchPart(() => import('./Toasts.tsx')), { ssr: false });

/** The toasts, fetched when the page has come to rest or with the first thing to say. */
export function LazyToasts() {
  const atRest = useAtRest();
  const refusal = useFaults((faults) => faults.refusal !== null);
  const receipt = useHalt((halt) => halt.receipt !== null);
  return atRest || refusal || receipt ? <Toasts /> : null;
}
