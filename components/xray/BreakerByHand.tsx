'use client';

import { useState } from 'react';
import type { BreakerCommand } from '#lib/protocol/events.ts';
import { command } from '../socket.ts';
import { describeProblem } from '../stores/faults-store.ts';

const COMMANDS: { command: BreakerCommand; word: string; help: string }[] = [
  { command: 'open', word: 'Hold open', help: 'Rejects every call until closed or reset' },
  { command: 'close', word: 'Close', help: 'Lets calls through now' },
  { command: 'reset', word: 'Reset', help: 'Closed, with its counts at zero' },
];

/** A breaker's three commands; what they did is seen in its state, not here. */
export function BreakerByHand({ breaker }: { breaker: string }) {
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState<BreakerCommand | null>(null);
  const send = async (each: BreakerCommand) => {
    setBusy(each);
    const answer = await command('breaker:command', { name: breaker, command: each });
    setRefusal(answer.ok ? null : describeProblem(answer.error));
    setBusy(null);
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      <span className="text-muted">By hand:</span>
      {COMMANDS.map((each) => (
        <button
          aria-busy={busy === each.command}
          className="small-button min-h-8!"
          data-testid={`xray-${each.command}`}
          key={each.command}
          onClick={() => void send(each.command)}
          title={each.help}
          type="button"
        >
          {each.word}
        </button>
      ))}
      {refusal && (
        <p className="basis-full font-semibold text-open-ink" role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}
