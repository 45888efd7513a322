'use client';

import { useState } from 'react';
import type { Problem } from '#lib/protocol/errors.ts';
import { partsOf, serviceOf } from '../services/service-parts.ts';
import { useConnection } from '../stores/connection-store.ts';
import { describeProblem } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';

/** For what a fault has left in a process and what does not go away by itself. */
export function RestartProcess({ service }: { service: string }) {
  const known = serviceOf(service);
  const name = known && partsOf(known).process;
  const process = useSystem((store) =>
    store.state?.supervisor?.processes.find((each) => each.name === name && each.state !== 'external'),
  );
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  if (!process) return null;
  const restart = async () => {
    setBusy(true);
    setRefusal(await restartProcess(process.name));
    setBusy(false);
  };
  return (
    <div className="mt-4 flex flex-wrap items-center gap-2 border-t border-line pt-3">
      <span className="text-muted">
        Process {process.name}: {process.state}, {process.restarts}{' '}
        {process.restarts === 1 ? 'restart' : 'restarts'}
      </span>
      <button
        aria-busy={busy}
        className="small-button min-h-8!"
        data-testid="xray-restart"
        disabled={busy}
        onClick={() => void restart()}
        title="Kills it and starts it again at once"
        type="button"
      >
        Restart {process.name}
      </button>
      {refusal && (
        <p className="basis-full font-semibold text-open-ink" role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}

/** @returns why it was not done; null when it was */
async function restartProcess(name: string): Promise<string | null> {
  try {
    const response = await fetch(`/api/v1/processes/${name}/restart`, {
      method: 'POST',
      headers: { 'x-brownout-operator': useConnection.getState().name },
      signal: AbortSignal.timeout(10_000),
    });
    return response.ok ? null : describeProblem((await response.json()) as Problem);
  } catch (error) {
    return `No answer: ${error instanceof Error ? error.message : error}`;
  }
}
