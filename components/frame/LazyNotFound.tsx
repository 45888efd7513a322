'use client';

import dynamic from 'next/dynamic';
import { fetchPart } from '../fetch-part.ts';

/** Next sends the not-found page along with every page; only its own reader shall fetch what it is made of. */
export const LazyNotFound = dynamic(() =>
  fetchPart(() => import('./NotFound.tsx')).then(({ NotFound }) => NotFound),
);
