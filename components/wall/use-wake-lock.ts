import { useEffect, useState } from 'react';

/** `unavailable`: the browser has no wake lock here (it needs https or localhost), or refuses it. */
export type WakeState = 'asking' | 'awake' | 'released' | 'unavailable';

/** Keeps the screen on while the page is looked at; a hidden page loses the lock and takes it again. */
export function useWakeLock(): WakeState {
  const [state, setState] = useState<WakeState>('asking');
  useEffect(() => {
    if (!('wakeLock' in navigator)) {
      setState('unavailable');
      return;
    }
    let lock: WakeLockSentinel | null = null;
    let gone = false;
    const ask = async () => {
      if (document.visibilityState !== 'visible' || (lock && !lock.released)) return;
      try {
        const taken = await navigator.wakeLock.request('screen');
        if (gone) {
          await taken.release();
          return;
        }
        lock = taken;
        setState('awake');
        taken.addEventListener('release', () => setState('released'), { once: true });
      } catch {
        setState('unavailable');
      }
    };
    const onVisible = () => void ask();
    onVisible();
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      gone = true;
      document.removeEventListener('visibilitychange', onVisible);
      void lock?.release();
    };
  }, []);
  return state;
}
