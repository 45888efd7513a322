import { z } from 'zod';
import type { State } from '../../lib/protocol/state.ts';
import { STALE_MS } from './hub.ts';

export const healthSchema = z.object({
  status: z.enum(['ok', 'failing']),
  at: z.number(),
  /** What is not up, or not heard. */
  failing: z.array(z.string()),
  processes: z.array(z.object({ name: z.string(), state: z.string(), pid: z.number().nullable() })),
  agents: z.array(z.object({ name: z.string(), connected: z.boolean() })),
  /** Why facts do not reach the disk; null: they do. */
  journal: z.string().nullable(),
});
export type Health = z.infer<typeof healthSchema>;

/** Health of the system as its supervisor and its agents tell it; a silent teller is a failing one. */
export function readHealth(state: State, journal: string | null): Health {
  const supervisor = state.supervisor;
  const processes = (supervisor?.processes ?? []).map(({ name, state: now, pid }) => ({
    name,
    state: now,
    pid,
  }));
  const failing = new Set<string>();
  if (!supervisor || supervisor.ageMs > STALE_MS) failing.add('supervisor');
  for (const { name, state: now } of processes) {
    if (now !== 'up' && now !== 'external' && name !== 'control') failing.add(name);
  }
  for (const { name, connected } of state.agents) if (!connected) failing.add(name);
  if (journal !== null) failing.add('journal');
  return {
    status: failing.size === 0 ? 'ok' : 'failing',
    at: state.at,
    failing: [...failing],
    processes,
    agents: state.agents.map(({ name, connected }) => ({ name, connected })),
    journal,
  };
}
