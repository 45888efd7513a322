import { useEffect, useState } from 'react';

const AT_REST_AFTER_MS = 3_000;

/** Whether the page has had the time to draw its first picture, so that what may be needed later can be fetched. */
export function useAtRest(): boolean {
  const [atRest, setAtRest] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setAtRest(true), AT_REST_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return atRest;
}
