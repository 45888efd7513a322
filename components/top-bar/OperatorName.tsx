'use client';

import { UserRound } from 'lucide-react';
import { useState } from 'react';
import { rename } from '../socket.ts';
import { useConnection } from '../stores/connection-store.ts';

/** Who is asking: edited in place, kept for this browser, told to everybody with each command. */
export function OperatorName() {
  const name = useConnection((store) => store.name);
  const [draft, setDraft] = useState<string | null>(null);
  const commit = () => {
    const trimmed = draft?.trim().slice(0, 40);
    if (trimmed && trimmed !== name) rename(trimmed);
    setDraft(null);
  };
  return (
    <label className="flex items-center gap-1.5 text-muted" title="Your name, shown with what you break">
      <UserRound aria-hidden="true" size={14} />
      <span className="sr-only">Your name</span>
      <input
        className="w-24 rounded border border-transparent bg-transparent px-1 py-0.5 text-ink hover:border-line-strong focus:border-line-strong"
        data-testid="operator-name"
        maxLength={40}
        onBlur={commit}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') event.currentTarget.blur();
        }}
        value={draft ?? name}
      />
    </label>
  );
}
