import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { FaultSpec, ProxiedService } from '../faults/fault.ts';
import type { FaultInjector, Verdict } from '../faults/injector.ts';
import { type AnswerCode, type DnsQuery, RECORD_A, readQuery, writeAnswer } from './message.ts';
import { type NamedService, readServiceName } from './service-name.ts';

export interface NameServerOptions {
  /** UDP. Port 0 picks a free one. */
  listen: { host: string; port: number };
  /** What stands behind each service's name; `host` is an IPv4 address. */
  addresses: Readonly<Record<ProxiedService, { readonly host: string }>>;
  injector: FaultInjector;
  /** @default systemClock */
  clock?: Clock;
}

const TYPE = 'dns_failure';
/** Answers kept back at a time; beyond it the oldest is given at once. */
const MAX_PENDING = 1000;

interface Pending {
  readonly faultId: string;
  readonly timer: Timer | undefined;
  /** Gives the true answer. */
  release(): void;
}

/**
 * The name server of the services under test, where `dns_failure` acts.
 *
 * Each question draws once, so that the n-th new connection has the n-th verdict. An answer that a fault keeps back
 * is given, and true, as soon as that fault is over.
 */
export class NameServer {
  readonly #options: NameServerOptions;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  #socket: Socket | undefined;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    options.injector.on('ended', this.#onEnded);
  }

  /** 0 while it does not listen. */
  get port(): number {
    return this.#socket?.address().port ?? 0;
  }

  /** @throws when the port cannot be had */
  start(): Promise<void> {
    const { host, port } = this.#options.listen;
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, () => {
        socket.off('error', reject);
        socket.on('error', () => {}); // of one answer that could not be sent: its client asks again
        socket.on('message', (message, from) => this.#answer(message, from));
        this.#socket = socket;
        resolve();
      });
    });
  }

  close(): void {
    this.#options.injector.off('ended', this.#onEnded);
    for (const pending of this.#pending) pending.timer?.cancel();
    this.#pending.clear();
    this.#socket?.close();
    this.#socket = undefined;
  }

  readonly #onEnded = ({ fault }: { fault: FaultSpec }) => {
    for (const pending of [...this.#pending]) if (pending.faultId === fault.id) this.#release(pending);
  };

  #answer(message: Buffer, from: RemoteInfo): void {
    const query = readQuery(message);
    if (!query) return;
    const named = readServiceName(query.name);
    const send = (code: AnswerCode, address?: string) =>
      this.#socket?.send(writeAnswer(query, code, address), from.port, from.address);
    if (!named) {
      send('NXDOMAIN');
      return;
    }
    const truth = () => send('NOERROR', this.#addressOf(query, named));
    const verdict = this.#verdict(named);
    if (!verdict) {
      truth();
      return;
    }
    const { answer, delayMs } = verdict.fault.params as { answer: string; delayMs: number };
    switch (answer) {
      case 'none':
        this.#keep(verdict.fault.id, undefined, undefined, truth);
        return;
      case 'late':
        this.#keep(verdict.fault.id, delayMs, truth, truth);
        return;
      default:
        this.#keep(verdict.fault.id, delayMs, () => send(answer as AnswerCode), truth);
    }
  }

  /** There are no addresses of other kinds. */
  #addressOf(query: DnsQuery, { service }: NamedService): string | undefined {
    return query.type === RECORD_A ? this.#options.addresses[service].host : undefined;
  }

  #verdict({ service, healthCheck }: NamedService): Verdict | undefined {
    const { injector } = this.#options;
    const acts = injector.active('network').some(({ type, params }) => {
      const chosen = params['services'] as readonly string[] | undefined;
      return type === TYPE && (!chosen?.length || chosen.includes(service));
    });
    return acts ? injector.decide('network', { kind: `lookup ${service}`, healthCheck }, [TYPE]) : undefined;
  }

  /** `afterMs` undefined: until the fault is over. */
  #keep(
    faultId: string,
    afterMs: number | undefined,
    answer: (() => void) | undefined,
    release: () => void,
  ): void {
    if (afterMs === 0) {
      answer?.();
      return;
    }
    const timer =
      afterMs === undefined
        ? undefined
        : this.#clock.after(afterMs, () => {
            this.#pending.delete(pending);
            answer?.();
          });
    const pending: Pending = { faultId, timer, release };
    this.#pending.add(pending);
    const [oldest] = this.#pending;
    if (oldest && this.#pending.size > MAX_PENDING) this.#release(oldest);
  }

  #release(pending: Pending): void {
    pending.timer?.cancel();
    if (this.#pending.delete(pending)) pending.release();
  }
}
