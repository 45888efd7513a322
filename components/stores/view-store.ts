import { create } from 'zustand';

export const TABS = ['live', 'faults', 'queues', 'gpu', 'log'] as const;
export type Tab = (typeof TABS)[number];

export const WINDOWS_MS = [60_000, 300_000, 900_000, 3_600_000] as const;

interface View {
  theme: 'dark' | 'light';
  /** Of the narrow layout; the wide one shows everything. */
  tab: Tab;
  /** Length of the shared time axis. */
  windowMs: number;
  /** Server time at which the picture is held; null while it runs. Data goes on being taken in. */
  frozenAt: number | null;
  /** Server time under the pointer, shared by ribbon and charts. */
  cursorAt: number | null;
  /** Server time of the moment that is pointed at by a press or a link; null: none. */
  markAt: number | null;
  overlay: 'palette' | 'help' | 'note' | 'dlq' | { xray: string } | null;
}

export const useView = create<View>(() => ({
  theme: 'dark',
  tab: 'live',
  windowMs: 300_000,
  frozenAt: null,
  cursorAt: null,
  markAt: null,
  overlay: null,
}));

const THEME_KEY = 'brownout.theme';

/** Takes over what the script in the document's head has set before the first paint. */
export function loadTheme(): void {
  useView.setState({ theme: document.documentElement.dataset['theme'] === 'light' ? 'light' : 'dark' });
}

export function toggleTheme(): void {
  const theme = useView.getState().theme === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = theme;
  localStorage.setItem(THEME_KEY, theme);
  useView.setState({ theme });
}
