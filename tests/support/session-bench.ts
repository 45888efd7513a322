import type { FaultMatch, ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { PlainSession } from '#lib/chaos/proxy/plain-session.ts';
import { ServiceFaults } from '#lib/chaos/proxy/service-faults.ts';
import type { LinkPort, Session, SessionFactory } from '#lib/chaos/proxy/session.ts';

export interface BenchFault {
  type: string;
  params?: Record<string, unknown>;
  ratio?: number;
  match?: FaultMatch;
}

/** Faults of a real injector as a proxy of `service` sees them. To be closed with the injector. */
export async function armedFaults(
  service: ProxiedService,
  fault: BenchFault,
): Promise<{ faults: ServiceFaults; injector: FaultInjector }> {
  const injector = new FaultInjector();
  const { type, params, ratio = 1, match } = fault;
  const valid = validateFault(service, type, params);
  await injector.arm({
    id: 'f1',
    version: 1,
    service,
    type,
    params: valid.params,
    ratio,
    seed: 7,
    match,
    ttlMs: 900_000,
  });
  const faults = new ServiceFaults(injector, service);
  faults.refresh();
  return { faults, injector };
}

/** What became of the bytes that a session was fed. */
export interface BenchResult {
  toServer: string;
  toClient: string;
  requests: number;
  hits: number;
  degraded: string;
  gone: string;
}

/**
 * One protocol session between two streams that a test feeds, without sockets: for thousands of cases.
 *
 * It obeys the session as a link does: a paused side waits, a held or reset connection swallows.
 */
export class SessionBench implements LinkPort {
  readonly faults: ServiceFaults;
  readonly closing = false;
  readonly localAddress = '127.0.0.1';
  readonly upstreamHost = '127.0.0.1';
  /** Bytes passed on, in each direction. */
  readonly passedBytes = { server: 0, client: 0 };
  requests = 0;
  hits = 0;
  /** Why the protocol was given up; empty while it is followed. */
  degraded = '';
  /** How the connection ended; empty while it is open. */
  gone = '';
  readonly paused = { client: false, server: false };
  readonly #keeps: boolean;
  readonly #waiting: { from: 'client' | 'server'; chunk: Buffer }[] = [];
  readonly #toServer: Buffer[] = [];
  readonly #toClient: Buffer[] = [];
  #session: Session;

  /** `keeps` false only counts what is passed on. */
  constructor(faults: ServiceFaults, createSession: SessionFactory, keeps = true) {
    this.faults = faults;
    this.#keeps = keeps;
    this.#session = createSession(this);
  }

  fromClient(chunk: Buffer): void {
    this.#feed('client', chunk);
  }

  fromServer(chunk: Buffer): void {
    this.#feed('server', chunk);
  }

  get result(): BenchResult {
    return {
      toServer: Buffer.concat(this.#toServer).toString('latin1'),
      toClient: Buffer.concat(this.#toClient).toString('latin1'),
      requests: this.requests,
      hits: this.hits,
      degraded: this.degraded,
      gone: this.gone,
    };
  }

  end(): void {
    this.#session.closed?.();
  }

  connect(): void {}

  toServer(bytes: Buffer): void {
    if (this.gone) return;
    this.passedBytes.server += bytes.length;
    if (this.#keeps) this.#toServer.push(Buffer.from(bytes));
  }

  inOrder(_delayMs: number, run: () => void): void {
    if (!this.gone) run();
  }

  toClient(bytes: Buffer): void {
    if (this.gone) return;
    this.passedBytes.client += bytes.length;
    if (this.#keeps) this.#toClient.push(Buffer.from(bytes));
  }

  hold(): void {
    this.gone ||= 'held';
  }

  reset(): void {
    this.gone ||= 'reset';
  }

  finish(): void {
    this.gone ||= 'finished';
  }

  degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    this.#session.closed?.();
    this.degraded = reason;
    this.#session = new PlainSession(this, reason);
    this.pauseClient(false);
    this.pauseServer(false);
    this.toServer(clientRest);
    this.toClient(serverRest);
  }

  pauseClient(paused: boolean): void {
    this.paused.client = paused;
  }

  pauseServer(paused: boolean): void {
    this.paused.server = paused;
  }

  settled(): void {}

  countRequest(): void {
    this.requests++;
  }

  countBytes(): void {}

  countHit(): void {
    this.hits++;
  }

  #feed(from: 'client' | 'server', chunk: Buffer): void {
    this.#waiting.push({ from, chunk });
    for (;;) {
      const index = this.#waiting.findIndex((each) => !this.paused[each.from]);
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (!next) return;
      if (this.gone) continue;
      if (next.from === 'client') this.#session.fromClient(next.chunk);
      else this.#session.fromServer(next.chunk);
    }
  }
}
