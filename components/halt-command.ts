import { create } from 'zustand';
import type { Problem } from '#lib/protocol/errors.ts';
import type { HaltReceipt } from '#lib/protocol/faults.ts';
import { halt } from './socket.ts';
import { refuse } from './stores/faults-store.ts';

interface HaltCommand {
  phase: 'idle' | 'halting';
  /** Receipt of our own halt; others' come with the fact. */
  receipt: HaltReceipt | null;
  problem: Problem | null;
}

export const useHalt = create<HaltCommand>(() => ({ phase: 'idle', receipt: null, problem: null }));

/** Stops everything. Never asks, may be pressed again, works by HTTP when the socket is down. */
export async function haltAll(): Promise<void> {
  useHalt.setState({ phase: 'halting', problem: null });
  const answer = await halt();
  if (answer.ok) useHalt.setState({ phase: 'idle', receipt: answer.data, problem: null });
  else {
    useHalt.setState({ phase: 'idle', problem: answer.error });
    refuse('halt', answer.error);
  }
}
