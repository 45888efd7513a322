'use client';

import dynamic from 'next/dynamic';
import { useEffect, useState } from 'react';
import { fetchPart } from '../fetch-part.ts';
import { useHalt } from '../halt-command.ts';
import { useFaults } from '../stores/faults-store.ts';

const Toasts = dynamic(() => fetchPart(() => import('./Toasts.tsx')), { ssr: false });

/** Fetched when the page has come to rest, or with the first thing to say. */
const FETCH_AFTER_MS = 3_000;

/** The toasts, kept out of what must be there for the first picture. */
export function LazyToasts() {
  const [rested, setRested] = useState(false);
  const refusal = useFaults((faults) => faults.refusal !== null);
  const receipt = useHalt((halt) => halt.receipt !== null);
  useEffect(() => {
    const timer = setTimeout(() => setRested(true), FETCH_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return rested || refusal || receipt ? <Toasts /> : null;
}
