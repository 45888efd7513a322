/** Ids as a source tells them, or why it could not be read. */
export type LedgerSource = ReadonlySet<string> | Error;

/**
 * What reconciliation compares. Read them in the order in which work flows, `accepted` first and `stored` last: an id
 * that moves on meanwhile is then seen twice rather than not at all.
 */
export interface LedgerSources {
  /** Every accepted upload with the time of its acceptance, epoch ms. */
  readonly accepted: ReadonlyMap<string, number> | Error;
  readonly inbox: LedgerSource;
  readonly queued: LedgerSource;
  readonly memory: LedgerSource;
  readonly disk: LedgerSource;
  readonly inFlight: LedgerSource;
  readonly dlq: LedgerSource;
  /** Given up by a policy or by a destructive fault, and named. */
  readonly dropped: LedgerSource;
  readonly quarantined: LedgerSource;
  readonly duplicate: LedgerSource;
  readonly stored: LedgerSource;
  /** Uploads that are linked to more than one event. */
  readonly inTwoEvents: LedgerSource;
  /** Re-detections and re-analyses still due; outside the sum. */
  readonly owed: number | Error;
}

/** The homes, first wins. */
const HOMES = [
  'stored',
  'duplicate',
  'quarantined',
  'dropped',
  'dlq',
  'queued',
  'memory',
  'disk',
  'inFlight',
  'inbox',
] as const;
export type LedgerHome = (typeof HOMES)[number];

/** Two of these contradict each other. A dead letter may lie beside any: it is a note, and may be re-driven. */
const TERMINAL = ['stored', 'duplicate', 'quarantined', 'dropped'] as const satisfies readonly LedgerHome[];

export type LedgerVerdict = 'BALANCED' | 'MOVING' | 'LOSS' | 'UNKNOWN';

/** Where every accepted upload is. The homes, `moving` and `lost` add up to `accepted`. */
export interface LedgerStatus {
  accepted: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  dropped: number;
  dlq: number;
  queued: number;
  /** memory + disk. */
  parked: number;
  inFlight: number;
  inbox: number;
  moving: number;
  lost: number;
  /** At most 20. */
  lostIds: string[];
  doubled: number;
  /** At most 20. */
  doubledIds: string[];
  owed: number;
  verdict: LedgerVerdict;
  /** Epoch ms of this round. */
  reconciledAt: number | null;
  unreadable: string[];
}

export interface Reconciliation extends LedgerStatus {
  memory: number;
  disk: number;
  /** Since the acceptance of the oldest upload that is not at its end, ms; null when all are. */
  oldestPendingMs: number | null;
  /** Every lost id. */
  allLostIds: readonly string[];
}

const LISTED = 20;

/**
 * Compares id sets, round after round. An id without a home is *moving* in the first round and *lost* in the second,
 * until it is seen again.
 *
 * A round in which a source cannot be read proves nothing: its verdict is UNKNOWN, what was lost stays lost unless it
 * is seen, and nothing becomes lost by it.
 */
export class WorkLedger {
  /** Without a home in the last complete round. */
  #homeless: ReadonlySet<string> = new Set();
  #lost: ReadonlySet<string> = new Set();
  #doubled: ReadonlySet<string> = new Set();
  /** What each source said when it could last be read: stands in for it in the counts, proves nothing. */
  readonly #lastRead = new Map<LedgerHome, ReadonlySet<string>>();
  #last: Reconciliation = emptyReconciliation();

  /** Of the last round; UNKNOWN before the first. */
  get last(): Reconciliation {
    return this.#last;
  }

  /** @param at epoch ms */
  reconcile(sources: LedgerSources, at: number): Reconciliation {
    const unreadable = Object.entries(sources)
      .filter(([, source]) => source instanceof Error)
      .map(([name]) => name);
    const complete = unreadable.length === 0;
    if (sources.accepted instanceof Error) {
      this.#homeless = new Set();
      this.#last = { ...this.#last, verdict: 'UNKNOWN', unreadable, reconciledAt: at };
      return this.#last;
    }
    const sets = Object.fromEntries(HOMES.map((home) => [home, this.#setOf(home, sources[home])])) as Record<
      LedgerHome,
      ReadonlySet<string>
    >;
    const twice = sources.inTwoEvents instanceof Error ? new Set<string>() : sources.inTwoEvents;
    const counts = Object.fromEntries(HOMES.map((home) => [home, 0])) as Record<LedgerHome, number>;
    const homeless = new Set<string>();
    const doubled = new Set<string>();
    let oldestPendingAt: number | null = null;
    for (const [id, acceptedAt] of sources.accepted) {
      const home = HOMES.find((each) => sets[each].has(id));
      if (home) counts[home]++;
      else homeless.add(id);
      if (twice.has(id) || TERMINAL.filter((each) => sets[each].has(id)).length > 1) doubled.add(id);
      const pending = !TERMINAL.some((each) => each === home);
      if (pending) oldestPendingAt = Math.min(oldestPendingAt ?? acceptedAt, acceptedAt);
    }
    const seen = (id: string) => HOMES.some((home) => sets[home].has(id));
    const lost = new Set([...this.#lost].filter((id) => !seen(id)));
    if (complete) for (const id of homeless) if (this.#homeless.has(id)) lost.add(id);
    // What was doubled stays so while a source that could clear it is away.
    if (!complete) for (const id of this.#doubled) doubled.add(id);
    const moving = [...homeless].filter((id) => !lost.has(id)).length;
    this.#homeless = complete ? homeless : new Set();
    this.#lost = lost;
    this.#doubled = doubled;
    this.#last = {
      ...counts,
      parked: counts.memory + counts.disk,
      // A lost upload whose very record is gone still counts, or its loss would hide itself.
      accepted: sources.accepted.size + lost.size - lost.intersection(homeless).size,
      moving,
      lost: lost.size,
      lostIds: [...lost].slice(0, LISTED),
      allLostIds: [...lost],
      doubled: doubled.size,
      doubledIds: [...doubled].slice(0, LISTED),
      owed: sources.owed instanceof Error ? this.#last.owed : sources.owed,
      oldestPendingMs: oldestPendingAt === null ? null : Math.max(0, at - oldestPendingAt),
      verdict: verdictOf(complete, lost.size + doubled.size, moving),
      reconciledAt: at,
      unreadable,
    };
    return this.#last;
  }

  #setOf(home: LedgerHome, source: LedgerSource): ReadonlySet<string> {
    if (source instanceof Error) return this.#lastRead.get(home) ?? new Set();
    this.#lastRead.set(home, source);
    return source;
  }
}

function verdictOf(complete: boolean, wrong: number, moving: number): LedgerVerdict {
  if (!complete) return 'UNKNOWN';
  if (wrong > 0) return 'LOSS';
  return moving > 0 ? 'MOVING' : 'BALANCED';
}

function emptyReconciliation(): Reconciliation {
  const counts = Object.fromEntries(HOMES.map((home) => [home, 0])) as Record<LedgerHome, number>;
  return {
    ...counts,
    accepted: 0,
    parked: 0,
    moving: 0,
    lost: 0,
    lostIds: [],
    allLostIds: [],
    doubled: 0,
    doubledIds: [],
    owed: 0,
    oldestPendingMs: null,
    verdict: 'UNKNOWN',
    reconciledAt: null,
    unreadable: [],
  };
}
