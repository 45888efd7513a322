import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import type { FaultSpec, ProxiedService } from '../faults/fault.ts';
import type { FaultInjector } from '../faults/injector.ts';
import { actionOf } from './actions.ts';
import { Link } from './link.ts';
import { ProxyListener } from './proxy-listener.ts';
import { type AnswerRule, actsOn, ServiceFaults } from './service-faults.ts';
import type { SessionFactory } from './session.ts';
import { Traffic } from './traffic.ts';

export interface ServiceProxyOptions {
  service: ProxiedService;
  /** Where clients connect. Port 0 picks a free one. */
  listen: { host: string; port: number };
  /** What stands behind. */
  upstream: { host: string; port: number };
  injector: FaultInjector;
  createSession: SessionFactory;
  /** Which calls error replies fit. @default all */
  answers?: AnswerRule;
  /** @default systemClock */
  clock?: Clock;
}

/** Time that a port may take to be opened again at a fault's end, ms. */
const REOPEN_LIMIT_MS = 2000;

/** The fault proxy in front of one service: a port, its links, and the faults that act on them. */
export class ServiceProxy {
  readonly service: ProxiedService;
  readonly upstream: { host: string; port: number };
  readonly traffic: Traffic;
  readonly #options: ServiceProxyOptions;
  readonly #clock: Clock;
  readonly #faults: ServiceFaults;
  readonly #listener: ProxyListener;
  readonly #links = new Set<Link>();
  #open = false;

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.service = options.service;
    this.upstream = { ...options.upstream };
    this.traffic = new Traffic(this.#clock);
    this.#faults = new ServiceFaults(options.injector, options.service, options.answers);
    this.#listener = new ProxyListener({
      ...options.listen,
      clock: this.#clock,
      onConnection: (client) => this.#accept(client),
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  get listening(): boolean {
    return this.#listener.listening;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** @throws when the port cannot be had within 2 s */
  async start(): Promise<void> {
    this.#open = true;
    this.#faults.refresh();
    if (!this.#faults.closing) await this.#listener.open(REOPEN_LIMIT_MS);
  }

  /** Resets every connection and closes the port. */
  close(): void {
    this.#open = false;
    this.#listener.close();
    for (const link of [...this.#links]) link.reset();
  }

  /** Whether a fault concerns this proxy. */
  concerns(fault: FaultSpec): boolean {
    return actsOn(fault, this.service);
  }

  /** Puts a fault that was just armed or changed in force for open connections too. */
  async apply(fault: FaultSpec): Promise<void> {
    await this.refresh();
    const action = actionOf(fault.type);
    if (action !== 'refuse' && action !== 'cut' && action !== 'drop') return;
    const all = this.#faults.hitsAll(fault);
    if (!all && action !== 'drop') {
      this.#faults.warn('not all are hit: hit connections are accepted, then reset', 'refuse', 'cut');
    }
    if (fault.match) this.#faults.warn('a match does not apply to connections', 'refuse', 'cut', 'drop');
    for (const link of [...this.#links]) {
      const drawn = action === 'drop' ? () => this.#faults.drop() : () => this.#faults.connection();
      if (!all && drawn()?.id !== fault.id) continue;
      if (all) this.#faults.recordHit(fault.id, 'connection');
      this.traffic.totals.hits++;
      if (action === 'refuse') link.closeGently();
      else link.reset();
    }
  }

  /** Follows the injector: port open or closed, held connections of ended faults reset, delays dropped. */
  async refresh(): Promise<void> {
    this.#faults.refresh();
    for (const link of [...this.#links]) link.faultsChanged();
    if (!this.#open) return;
    if (this.#faults.closing) this.#listener.close();
    else await this.#listener.open(REOPEN_LIMIT_MS);
  }

  #accept(client: Socket): void {
    if (!this.#open || this.#faults.closing) {
      client.on('error', () => {});
      client.resetAndDestroy(); // came in the moment the port was closed
      return;
    }
    if (!this.#faults.quiet && this.#faults.connection()) {
      this.traffic.totals.hits++;
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const link = new Link({
      client,
      upstream: this.upstream,
      faults: this.#faults,
      traffic: this.traffic,
      clock: this.#clock,
      createSession: this.#options.createSession,
      onClosed: () => this.#links.delete(link),
    });
    this.#links.add(link);
    const drop = this.#faults.quiet ? undefined : this.#faults.drop();
    if (drop) this.#dropLater(link, drop);
  }

  #dropLater(link: Link, drop: FaultSpec): void {
    this.#clock.after(Number(drop.params['lifeMs']), () => {
      if (!this.#links.has(link) || !this.#faults.find(drop.id)) return;
      this.traffic.totals.hits++;
      link.reset();
    });
  }
}
