import { create } from 'zustand';

export interface Connection {
  /** Of the command socket. `refused` is final until reload: wrong origin or token. */
  phase: 'connecting' | 'connected' | 'disconnected';
  /** performance.now() of the newest telemetry, a tick or a snapshot; null before the first. */
  tickAt: number | null;
  /** Why the server said no, or what it announced. */
  notice: string | null;
  /** Parts of this page are not on the server any more: it has been built anew since. */
  isOutdated: boolean;
  /** Telemetry sockets see each other's operators; this is our own name. */
  name: string;
  tabId: string;
}

export const NAME_DEFAULT = 'Operator';

export const useConnection = create<Connection>(() => ({
  phase: 'connecting',
  tickAt: null,
  notice: null,
  isOutdated: false,
  name: NAME_DEFAULT,
  tabId: '',
}));

export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'stale' | 'no-data';

/** On the screen 2 s after the last tick, so known a little sooner. */
export const STALE_MS = 1_700;
export const NO_DATA_MS = 10_000;

/** What the age of the newest tick means. `nowMs` is performance.now(). */
export function liveState(connection: Pick<Connection, 'phase' | 'tickAt'>, nowMs: number): LiveState {
  if (connection.tickAt === null) return connection.phase === 'disconnected' ? 'no-data' : 'connecting';
  const ageMs = nowMs - connection.tickAt;
  if (ageMs > NO_DATA_MS) return 'no-data';
  if (ageMs > STALE_MS) return 'stale';
  return connection.phase === 'disconnected' ? 'reconnecting' : 'live';
}

const NAME_KEY = 'brownout.name';
const TAB_KEY = 'brownout.tab';

/** The name kept for this browser and the id kept for this tab, so that a reload keeps its leases. */
export function loadIdentity(): void {
  let tabId = sessionStorage.getItem(TAB_KEY);
  if (!tabId) {
    tabId = Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
    sessionStorage.setItem(TAB_KEY, tabId);
  }
  useConnection.setState({ name: localStorage.getItem(NAME_KEY) ?? NAME_DEFAULT, tabId });
}

export function saveName(name: string): void {
  localStorage.setItem(NAME_KEY, name);
  useConnection.setState({ name });
}
