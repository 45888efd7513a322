import { type Clock, systemClock, type Timer } from '../../lib/chaos/clock.ts';
import type { Fault } from '../../lib/protocol/faults.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultDesk } from './fault-desk.ts';

export interface LeasesOptions {
  desk: Pick<FaultDesk, 'faults' | 'end'>;
  log: Pick<FactLog, 'tell'>;
  /** @default systemClock */
  clock?: Clock;
  /** How often a page is asked, ms. @default 5000 */
  askEveryMs?: number;
  /** Silence after which everybody is warned, ms. @default 10 000 */
  warnAfterMs?: number;
  /**
   * Silence after which the faults of a tab end, ms. With the half second between two looks and the way to the
   * injector they are gone within 15 s, also on a busy machine. @default 13 500
   */
  lostAfterMs?: number;
}

interface Tab {
  name: string;
  since: number;
  asks: Set<AskPage>;
  /** Monotonic ms of the last answer or (re)connect. */
  heardAtMs: number;
}

/** Asks one link of a tab; resolves when the page has answered, rejects when it did not in time. */
export type AskPage = (n: number) => Promise<void>;

const LOOK_EVERY_MS = 500;
/** A thousand questions and their answers in one go would hold up what else is told just then. */
const ASKED_AT_ONCE = 50;
const ASK_PAUSE_MS = 20;
/** A look that comes later than this says that this process was stopped, ms. */
const ASLEEP_MS = 1000;

/**
 * Keeps the faults of a browser alive while the browser is there.
 *
 * Control asks and the page answers in its message handler, because browsers throttle the timers of hidden tabs.
 * A reload within `lostAfterMs` comes back with the same tab id and keeps everything. No fault ends by silence
 * before everybody was warned of it. An answer keeps the owner, never the fault: its TTL runs on.
 */
export class Leases {
  readonly #options: Required<LeasesOptions>;
  readonly #tabs = new Map<string, Tab>();
  readonly #lookEveryMs: number;
  /** Faults whose end has been announced, or ordered, during this silence of their owner. */
  readonly #warned = new Set<string>();
  readonly #ordered = new Set<string>();
  #asking: Timer;
  #askingRest: Timer = { cancel: () => {} };
  #looking: Timer;
  #lookedAtMs: number;
  #n = 0;

  constructor(options: LeasesOptions) {
    this.#options = {
      clock: systemClock,
      askEveryMs: 5000,
      warnAfterMs: 10_000,
      lostAfterMs: 13_500,
      ...options,
    };
    const { clock, askEveryMs, warnAfterMs } = this.#options;
    this.#lookEveryMs = Math.max(20, Math.min(LOOK_EVERY_MS, warnAfterMs / 10));
    this.#lookedAtMs = clock.monotonicMs();
    this.#asking = clock.after(askEveryMs, () => this.#askAll());
    this.#looking = clock.after(this.#lookEveryMs, () => this.#look());
  }

  get operatorCount(): number {
    return this.#tabs.size;
  }

  operators(): { tabId: string; name: string; since: number }[] {
    return [...this.#tabs].map(([tabId, { name, since }]) => ({ tabId, name, since }));
  }

  /** A page of this tab has connected. Gives the way to say that it has gone. */
  join(tabId: string, name: string, ask: AskPage): () => void {
    const { clock, log } = this.#options;
    const known = this.#tabs.get(tabId);
    const tab = known ?? { name, since: clock.now(), asks: new Set<AskPage>(), heardAtMs: 0 };
    const isNews = !known || known.name !== name;
    tab.name = name;
    tab.heardAtMs = clock.monotonicMs();
    tab.asks.add(ask);
    this.#tabs.set(tabId, tab);
    if (isNews) log.tell('operatorChanged', name, { tabId, name, here: true });
    return () => tab.asks.delete(ask);
  }

  close(): void {
    this.#asking.cancel();
    this.#askingRest.cancel();
    this.#looking.cancel();
  }

  #askAll(): void {
    const { clock, askEveryMs } = this.#options;
    this.#asking = clock.after(askEveryMs, () => this.#askAll());
    this.#askSome([...this.#tabs.values()], ++this.#n);
  }

  #askSome(tabs: readonly Tab[], n: number): void {
    const { clock } = this.#options;
    this.#askingRest.cancel();
    const rest = tabs.slice(ASKED_AT_ONCE);
    if (rest.length > 0) this.#askingRest = clock.after(ASK_PAUSE_MS, () => this.#askSome(rest, n));
    for (const tab of tabs.slice(0, ASKED_AT_ONCE)) {
      for (const ask of tab.asks) {
        ask(n).then(
          () => {
            tab.heardAtMs = clock.monotonicMs();
          },
          () => {}, // no answer: silence says it
        );
      }
    }
  }

  #look(): void {
    const { clock, desk, lostAfterMs } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#looking = clock.after(this.#lookEveryMs, () => this.#look());
    const lateMs = nowMs - this.#lookedAtMs - this.#lookEveryMs;
    this.#lookedAtMs = nowMs;
    // When this process itself was stopped, nobody could answer: that silence is not the browsers'.
    if (lateMs > ASLEEP_MS) {
      for (const tab of this.#tabs.values()) tab.heardAtMs = Math.min(nowMs, tab.heardAtMs + lateMs);
    }
    this.#judge(desk.faults(), nowMs);
    for (const [tabId, tab] of this.#tabs) {
      if (nowMs - tab.heardAtMs >= lostAfterMs && tab.asks.size === 0) this.#leave(tabId, tab);
    }
  }

  /** Judged by fault, not by tab: a fault can come into force after its tab has been given up. */
  #judge(faults: readonly Fault[], nowMs: number): void {
    const { desk, log, warnAfterMs, lostAfterMs } = this.#options;
    const silent = new Set<string>();
    for (const { id, service, owner } of faults) {
      if (owner.kind !== 'browser') continue;
      const heardAtMs = this.#tabs.get(owner.tabId ?? '')?.heardAtMs ?? Number.NEGATIVE_INFINITY;
      const silentMs = nowMs - heardAtMs;
      if (silentMs < warnAfterMs) continue;
      silent.add(id);
      if (!this.#warned.has(id)) {
        this.#warned.add(id);
        const endsInMs = Math.max(0, Math.round(lostAfterMs - silentMs));
        log.tell('leaseWarning', service, { faultId: id, owner: owner.name, endsInMs });
      } else if (silentMs >= lostAfterMs && !this.#ordered.has(id)) {
        this.#ordered.add(id);
        desk.end(id, 'owner_lost', owner.name).catch(() => {}); // ended meanwhile
      }
    }
    for (const known of [this.#warned, this.#ordered]) {
      for (const id of known) if (!silent.has(id)) known.delete(id);
    }
  }

  #leave(tabId: string, tab: Tab): void {
    this.#tabs.delete(tabId);
    this.#options.log.tell('operatorChanged', tab.name, { tabId, name: tab.name, here: false });
  }
}
