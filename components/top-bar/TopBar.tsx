'use client';

import { Command, Eye, Moon, OctagonX, Pause, Play, Sun } from 'lucide-react';
import { PageLinks } from '../frame/PageLinks.tsx';
import { haltAll, useHalt } from '../halt-command.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { toggleTheme, useView } from '../stores/view-store.ts';
import { LiveStatus } from './LiveStatus.tsx';
import { OperatorName } from './OperatorName.tsx';

export function toggleFreeze(): void {
  useView.setState((view) => ({ frozenAt: view.frozenAt === null ? serverNow() : null }));
}

export function TopBar() {
  const operators = useSystem((store) => store.state?.operators);
  const theme = useView((view) => view.theme);
  const frozen = useView((view) => view.frozenAt !== null);
  const count = useSystem((store) => store.state?.operatorCount ?? 0);
  const names = operators?.map((operator) => operator.name).join(', ');
  const unnamed = count - (operators?.length ?? 0);
  return (
    <header className="group flex items-center gap-2 wide:gap-3">
      <h1 className="flex items-center gap-2 text-[15px] font-semibold tracking-tight">
        <svg aria-hidden="true" height="20" viewBox="0 0 32 32" width="20">
          <path
            d="M3 16h6l4-9 5 18 4-9h7"
            fill="none"
            stroke="var(--degraded-ink)"
            strokeLinecap="round"
            strokeLinejoin="round"
            strokeWidth="3"
          />
        </svg>
        {/* On a phone a lost link says more words; HALT must stay whole. */}
        <span className="max-sm:group-not-has-[[data-state=live]]:sr-only">Brownout</span>
      </h1>
      <LiveStatus />
      {operators && (
        <span
          className="hidden items-center gap-1.5 text-muted sm:flex"
          title={unnamed > 0 ? `${names} and ${unnamed} more` : names}
        >
          <Eye aria-hidden="true" size={14} />
          {count} {count === 1 ? 'viewer' : 'viewers'}
        </span>
      )}
      <PageLinks className="ml-2 max-wide:hidden" />
      <div className="ml-auto flex items-center gap-1.5 wide:gap-2">
        <button
          aria-pressed={frozen}
          className={`small-button max-wide:hidden ${frozen ? 'border-half! bg-half! text-on-fill!' : ''}`}
          onClick={toggleFreeze}
          title="Hold the picture; data is still taken in (f)"
          type="button"
        >
          {frozen ? <Play aria-hidden="true" size={13} /> : <Pause aria-hidden="true" size={13} />}
          {frozen ? 'Frozen' : 'Freeze'}
          <kbd className="text-[10px] opacity-70">f</kbd>
        </button>
        <button
          aria-label="Open the command palette"
          className="small-button max-wide:hidden"
          onClick={() => useView.setState({ overlay: 'palette' })}
          title="Everything by name (⌘K or Ctrl K)"
          type="button"
        >
          <Command aria-hidden="true" size={13} />K
        </button>
        <button
          aria-label={theme === 'dark' ? 'Light theme' : 'Dark theme'}
          className="small-button w-7 justify-center px-0!"
          onClick={toggleTheme}
          title="Theme"
          type="button"
        >
          {theme === 'dark' ? <Sun aria-hidden="true" size={14} /> : <Moon aria-hidden="true" size={14} />}
        </button>
        <span className="hidden sm:block">
          <OperatorName />
        </span>
        <HaltButton />
      </div>
    </header>
  );
}

function HaltButton() {
  const halting = useHalt((halt) => halt.phase === 'halting');
  return (
    <button
      aria-busy={halting}
      className="inline-flex min-h-11 min-w-28 items-center justify-center gap-2 rounded-md border-2 border-loss bg-loss px-4 text-[13px] font-bold tracking-wide whitespace-nowrap text-on-fill hover:brightness-110"
      data-testid="halt-button"
      onClick={() => void haltAll()}
      title="End every fault at once (Esc Esc)"
      type="button"
    >
      <OctagonX aria-hidden="true" size={18} />
      {halting ? 'HALTING' : 'HALT ALL'}
    </button>
  );
}
