'use client';

import dynamic from 'next/dynamic';

/** Next sends the not-found page along with every page; only its own reader shall fetch what it is made of. */
export const LazyNotFound = dynamic(() => import('./NotFound.tsx').then(({ NotFound }) => NotFound));
