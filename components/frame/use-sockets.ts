import { useEffect } from 'react';
import { openSockets } from '../socket.ts';
import { loadTheme } from '../stores/view-store.ts';

/** The sockets outlive the page that opened them by this: whoever goes on to another page stays connected. */
const LINGER_MS = 2_000;

let users = 0;
let heldAs: string | undefined;
let closeSockets: (() => void) | null = null;
let closing: ReturnType<typeof setTimeout> | undefined;

/** Holds both sockets open for as long as the page is there. A page without an operator says as what it looks. */
export function useSockets(lookingAs?: string): void {
  useEffect(() => {
    loadTheme();
    users++;
    clearTimeout(closing);
    if (heldAs !== lookingAs) {
      closeSockets?.();
      closeSockets = null;
    }
    heldAs = lookingAs;
    closeSockets ??= openSockets(lookingAs);
    return () => {
      users--;
      if (users > 0) return;
      closing = setTimeout(() => {
        closeSockets?.();
        closeSockets = null;
      }, LINGER_MS);
    };
  }, [lookingAs]);
}
