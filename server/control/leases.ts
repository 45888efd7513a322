import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
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
  /** Silence after which the faults of a tab end, ms. @default 15 000 */
  lostAfterMs?: number;
}

interface Tab {
  name: string;
  since: number;
  links: number;
  /** Monotonic ms of the last answer or (re)connect. */
  heardAtMs: number;
  /** Faults whose end has been announced during this silence. */
  warned: Set<string>;
}

/** Asks one link of a tab; resolves when the page has answered, rejects when it did not in time. */
export type AskPage = (n: number) => Promise<void>;

/**
 * Keeps the faults of a browser alive while the browser is there.
 *
 * Control asks and the page answers in its message handler, because browsers throttle the timers of hidden tabs.
 * A reload within `lostAfterMs` comes back with the same tab id and keeps everything.
 */
export class Leases {
  readonly #options: Required<LeasesOptions>;
  readonly #tabs = new Map<string, Tab>();
  readonly #asks = new Map<string, Set<AskPage>>();
  readonly #timers: NodeJS.Timeout[];
  readonly #checkEveryMs: number;
  #checkedAtMs: number;
  #n = 0;

  constructor(options: LeasesOptions) {
    this.#options = {
      clock: systemClock,
      askEveryMs: 5000,
      warnAfterMs: 10_000,
      lostAfterMs: 15_000,
      ...options,
    };
    this.#checkEveryMs = Math.max(20, Math.min(500, this.#options.warnAfterMs / 10));
    this.#checkedAtMs = this.#options.clock.monotonicMs();
    this.#timers = [
      setInterval(() => this.#askAll(), this.#options.askEveryMs),
      setInterval(() => this.#check(), this.#checkEveryMs),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  operators(): { tabId: string; name: string; since: number }[] {
    return [...this.#tabs].map(([tabId, { name, since }]) => ({ tabId, name, since }));
  }

  /** A page of this tab has connected. Gives the way to say that it has gone. */
  join(tabId: string, name: string, ask: AskPage): () => void {
    const { clock, log } = this.#options;
    const known = this.#tabs.get(tabId);
    const tab = known ?? { name, since: clock.now(), links: 0, heardAtMs: 0, warned: new Set<string>() };
    const isNews = !known || known.name !== name;
    tab.name = name;
    tab.links++;
    this.#heard(tab);
    this.#tabs.set(tabId, tab);
    const asks = this.#asks.get(tabId) ?? new Set();
    asks.add(ask);
    this.#asks.set(tabId, asks);
    if (isNews) log.tell('operatorChanged', name, { tabId, name, here: true });
    return () => {
      tab.links--;
      asks.delete(ask);
    };
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #heard(tab: Tab): void {
    tab.heardAtMs = this.#options.clock.monotonicMs();
    tab.warned.clear();
  }

  #askAll(): void {
    const n = ++this.#n;
    for (const [tabId, asks] of this.#asks) {
      for (const ask of asks) {
        ask(n).then(
          () => {
            const tab = this.#tabs.get(tabId);
            if (tab) this.#heard(tab);
          },
          () => {}, // no answer: silence says it
        );
      }
    }
  }

  #check(): void {
    const { clock, desk, log, warnAfterMs, lostAfterMs } = this.#options;
    const now = clock.monotonicMs();
    const lateMs = now - this.#checkedAtMs - this.#checkEveryMs;
    this.#checkedAtMs = now;
    // When this process itself was stopped, nobody could answer: that silence is not the browsers'.
    if (lateMs > 1000) for (const tab of this.#tabs.values()) tab.heardAtMs += lateMs;

    const silent = [...this.#tabs].filter(([, tab]) => now - tab.heardAtMs >= warnAfterMs);
    if (silent.length === 0) return;
    const faults = desk.faults();
    for (const [tabId, tab] of silent) {
      const silentMs = now - tab.heardAtMs;
      const own = faults.filter(({ owner }) => owner.kind === 'browser' && owner.tabId === tabId);
      if (silentMs >= lostAfterMs) {
        for (const fault of own) desk.end(fault.id, 'owner_lost', tab.name).catch(() => {}); // ended meanwhile
        if (tab.links === 0) this.#leave(tabId, tab);
        continue;
      }
      for (const fault of own) {
        if (tab.warned.has(fault.id)) continue;
        tab.warned.add(fault.id);
        const endsInMs = Math.round(lostAfterMs - silentMs);
        log.tell('leaseWarning', fault.service, { faultId: fault.id, owner: tab.name, endsInMs });
      }
    }
  }

  #leave(tabId: string, tab: Tab): void {
    this.#tabs.delete(tabId);
    this.#asks.delete(tabId);
    this.#options.log.tell('operatorChanged', tab.name, { tabId, name: tab.name, here: false });
  }
}
