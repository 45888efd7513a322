import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
import type { State } from '../../lib/protocol/state.ts';
import type { AgentGateway } from './agent-gateway.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultDesk } from './fault-desk.ts';
import { type Hub, STALE_MS } from './hub.ts';
import type { Leases } from './leases.ts';

export interface StateSources {
  runId: string;
  seed: number;
  backendPort: number;
  hub: Hub;
  log: FactLog;
  desk: FaultDesk;
  agents: AgentGateway;
  leases: Leases;
  /** @default systemClock */
  clock?: Clock;
}

/** A mode older than this is nobody's, even while the pipeline is still connected (it may be stopped). */
const MODE_UNKNOWN_MS = 10_000;
/** With all of them in each state, what is sent would grow with the square of the viewers. */
const OPERATORS_NAMED = 50;

/** Joins what the processes say of themselves with what the desk knows. Nothing in it is inferred from samples. */
export function readState(sources: StateSources): State {
  const { runId, seed, backendPort, hub, log, desk, agents, leases, clock = systemClock } = sources;
  const pipeline = hub.aged('pipeline');
  const here = agents.instanceOf('pipeline') !== undefined;
  const known = pipeline !== null && pipeline.ageMs <= (here ? MODE_UNKNOWN_MS : STALE_MS);
  return {
    at: clock.now(),
    seq: log.seq,
    runId,
    seed,
    mode: known ? pipeline.mode.mode : null,
    modeCause: known ? pipeline.mode.causes : [],
    halted: desk.halted,
    faults: desk.faults(),
    pipeline,
    inference: hub.aged('inference'),
    proxy: hub.aged('proxy'),
    supervisor: hub.aged('supervisor'),
    cameras: hub.aged('cameras'),
    agents: agents.statuses(),
    operators: leases.operators().slice(0, OPERATORS_NAMED),
    operatorCount: leases.operatorCount,
    backendPort,
  };
}
