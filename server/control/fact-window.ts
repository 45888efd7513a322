import type { Fact } from '../../lib/protocol/facts.ts';
import type { Fault } from '../../lib/protocol/faults.ts';
import type { BreakerState, Mode, State } from '../../lib/protocol/state.ts';
import type { Standing, TimelineWindow } from '../../lib/protocol/timeline.ts';
import type { FactLog } from './fact-log.ts';
import { invalidInput } from './problem.ts';

export interface FactWindowRequest {
  /** Epoch ms. @default 15 minutes before the end */
  fromMs?: number | undefined;
  /** Epoch ms. @default now */
  toMs?: number | undefined;
  /** Only facts after this `seq`. @default 0 */
  after?: number | undefined;
  limit: number;
  /** @default all */
  wanted?: (fact: Fact) => boolean;
}

const DEFAULT_RANGE_MS = 15 * 60 * 1000;
const NOTHING: Standing = { mode: null, breakers: [], faults: [], halted: false };

/**
 * The facts of a stretch of time with what held at its start, from memory or the journal's files.
 * @throws {Refusal} INVALID_INPUT when it ends before it begins
 */
export async function readFactWindow(
  log: Pick<FactLog, 'slices' | 'seq'>,
  present: () => State,
  now: number,
  request: FactWindowRequest,
): Promise<TimelineWindow> {
  const toMs = request.toMs ?? now;
  const fromMs = request.fromMs ?? toMs - DEFAULT_RANGE_MS;
  if (fromMs > toMs) {
    if (request.fromMs === undefined || request.toMs !== undefined)
      throw invalidInput('toMs', request.toMs, `at or after fromMs (${fromMs})`);
    throw invalidInput('fromMs', request.fromMs, `before now (${Math.round(now)})`);
  }
  const { after = 0, limit, wanted = () => true } = request;
  const standing = new StandingFold();
  const facts: Fact[] = [];
  let gap = false;
  let more = false;
  let whole = true;
  let begun = false;
  let lastSeq: number | null = null;
  for await (const slice of log.slices(fromMs)) {
    for (const fact of slice) {
      if (lastSeq === null) gap = fact.seq > 1 && fact.at > fromMs;
      else if (fact.seq !== lastSeq + 1 && fact.at >= fromMs) gap = true;
      lastSeq = fact.seq;
      begun ||= fact.at <= toMs;
      if (fact.at < fromMs) standing.before(fact);
      else {
        standing.since(fact);
        if (fact.at > toMs || fact.seq <= after || !wanted(fact)) continue;
        if (facts.length < limit) facts.push(fact);
        else more = true;
      }
    }
    if ((slice.at(-1)?.at ?? 0) > toMs && standing.knowsMode) {
      whole = lastSeq === log.seq;
      break;
    }
  }
  // Before the first fact of all there was nothing: what came later says nothing about it.
  const held = begun ? standing.result(gap || !whole ? null : present()) : NOTHING;
  return { fromMs, toMs, facts, standing: held, seq: log.seq, gap, more };
}

/** Follows what each fact changes, up to the start of the window; where nothing was told before, from what came after. */
class StandingFold {
  readonly #faults = new Map<string, Fault>();
  readonly #breakers = new Map<string, BreakerState>();
  #mode: Mode | null = null;
  #halted: boolean | null = null;

  get knowsMode(): boolean {
    return this.#mode !== null;
  }

  before(fact: Fact): void {
    switch (fact.type) {
      case 'faultStarted':
      case 'faultChanged':
        this.#faults.set(fact.data.fault.id, fact.data.fault);
        break;
      case 'faultEnded':
        this.#faults.delete(fact.data.faultId);
        break;
      case 'modeChanged':
        this.#mode = fact.data.to;
        break;
      case 'breakerChanged':
        this.#breakers.set(fact.data.breaker, fact.data.to);
        break;
      case 'halted':
      case 'resumed':
        this.#halted = fact.type === 'halted';
        break;
      default:
    }
  }

  /** The first change after the start says what was before it. */
  since(fact: Fact): void {
    if (fact.type === 'modeChanged') this.#mode ??= fact.data.from;
    if (fact.type === 'halted' || fact.type === 'resumed') this.#halted ??= fact.type === 'resumed';
    if (fact.type === 'breakerChanged' && !this.#breakers.has(fact.data.breaker))
      this.#breakers.set(fact.data.breaker, fact.data.from);
  }

  /** `present`, when nothing is missing in between: what has not changed since is as it was. */
  result(present: State | null): Standing {
    const breakers = new Map(present?.pipeline?.breakers.map(({ name, state }) => [name, state]));
    for (const [name, state] of this.#breakers) breakers.set(name, state);
    return {
      mode: this.#mode ?? present?.mode ?? null,
      breakers: [...breakers].map(([name, state]) => ({ name, state })),
      faults: [...this.#faults.values()],
      halted: this.#halted ?? (present?.halted ?? null) !== null,
    };
  }
}
