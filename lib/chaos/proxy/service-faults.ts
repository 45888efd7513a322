import type { FaultSpec, ProxiedService, ServiceName } from '../faults/fault.ts';
import type { CallInfo, FaultInjector } from '../faults/injector.ts';
import type { ProxyAction } from '../faults/proxy-rule.ts';
import { actionOf, isolates, looksAt, looksAtAll } from './actions.ts';

/** What happens to one call. `draw` is a chance of its own, 0–1. */
export interface Outcome {
  readonly action: 'hold' | 'answer' | 'malform' | 'reset';
  readonly fault: FaultSpec;
  readonly draw: number;
  readonly delayShare: number;
}

/** The types of one fault service that act on this proxy, by what they do. */
interface Source {
  readonly service: ServiceName;
  readonly outcomes: readonly FaultSpec[];
  readonly delays: readonly FaultSpec[];
  readonly connections: readonly string[];
}

/** Whether error replies for faults of `source` fit this call. */
export type AnswerRule = (source: ServiceName, call: CallInfo) => boolean;

/** Services whose faults act on a proxy, the nearest first; the first that hits a call wins. */
const SOURCES: Readonly<Record<ProxiedService, readonly ServiceName[]>> = {
  yolo26: ['yolo26', 'network'],
  nemotron: ['nemotron', 'network'],
  redis: ['redis', 'network'],
  pubsub: ['pubsub', 'redis', 'network'],
  database: ['database', 'network'],
  ftp: ['ftp', 'network'],
};

/**
 * The faults of the injector as one proxy sees them; looked up once per change, not once per call.
 */
export class ServiceFaults {
  readonly service: ProxiedService;
  readonly #injector: FaultInjector;
  readonly #answers: AnswerRule;
  #faults: readonly FaultSpec[] = [];
  #sources: readonly Source[] = [];
  #hasDelays = false;
  #delays: readonly FaultSpec[] = [];
  #delayChanges = 0;

  constructor(injector: FaultInjector, service: ProxiedService, answers: AnswerRule = () => true) {
    this.#injector = injector;
    this.service = service;
    this.#answers = answers;
  }

  /** Reads the injector again. To be called after every arm, change and end. */
  refresh(): void {
    const sources: Source[] = [];
    const faults: FaultSpec[] = [];
    for (const service of SOURCES[this.service]) {
      const here = this.#injector.active(service).filter((fault) => actsOn(fault, this.service));
      const doing = (...actions: ProxyAction[]) =>
        here.filter((fault) => actions.includes(actionOf(fault.type) as ProxyAction));
      faults.push(...here);
      if (here.length === 0) continue;
      sources.push({
        service,
        outcomes: doing('hold', 'answer', 'malform', 'reset'),
        delays: doing('delay'),
        connections: doing('refuse', 'cut').map((fault) => fault.type),
      });
    }
    this.#faults = faults;
    this.#sources = sources;
    const delays = sources.flatMap((source) => source.delays);
    if (this.#delays.some((fault) => !delays.includes(fault))) this.#delayChanges++;
    this.#delays = delays;
    this.#hasDelays = delays.length > 0;
  }

  /** No fault acts on this proxy now. */
  get quiet(): boolean {
    return this.#sources.length === 0;
  }

  /** How often a delay that was in force has ended or got another strength. */
  get delayChanges(): number {
    return this.#delayChanges;
  }

  find(id: string): FaultSpec | undefined {
    return this.#faults.find((fault) => fault.id === id);
  }

  /** The fault that keeps the port closed: a refusal or cut that hits every connection. */
  get closing(): FaultSpec | undefined {
    return this.#faults.find((fault) => isPortAction(fault) && this.hitsAll(fault));
  }

  /** Whether a fault hits every call that it matches. */
  hitsAll(fault: FaultSpec): boolean {
    return this.#injector.hitsAll(fault);
  }

  /**
   * The time-out that hits everything, whatever is called, so that it can act on bare bytes. `any` false: only one
   * that no protocol may keep waiting.
   */
  hole(channel: 'control' | 'data', any = true): FaultSpec | undefined {
    return this.#faults.find(
      (fault) =>
        actionOf(fault.type) === 'hold' &&
        this.hitsAll(fault) &&
        !fault.match &&
        looksAtAll(fault.type) &&
        (any || isolates(fault.type)) &&
        (this.service !== 'ftp' || isolates(fault.type) || fault.params['channel'] === channel),
    );
  }

  /** Decides what happens to a call, and counts it. `only` leaves the other fault types out. */
  outcome(call: CallInfo, only?: string): Outcome | undefined {
    let outcome: Outcome | undefined;
    for (const source of this.#sources) {
      const answers = this.#answers(source.service, call);
      const types = source.outcomes
        .filter((fault) => (only === undefined || fault.type === only) && looksAt(fault, call))
        // A type that chooses its calls itself knows which of them it can answer.
        .filter((fault) => answers || actionOf(fault.type) !== 'answer' || !looksAtAll(fault.type))
        .map((fault) => fault.type);
      if (types.length === 0) continue;
      const verdict = this.#injector.decide(source.service, call, types, outcome !== undefined);
      if (verdict) outcome = { action: actionOf(verdict.fault.type) as Outcome['action'], ...verdict };
    }
    return outcome;
  }

  /** ms by which a call is to be delayed: latencies of several faults add up. */
  delayMs(call: CallInfo): number {
    if (!this.#hasDelays) return 0;
    let totalMs = 0;
    for (const source of this.#sources) {
      for (const fault of source.delays) {
        if (!looksAt(fault, call)) continue;
        const verdict = this.#injector.decide(source.service, call, [fault.type]);
        if (!verdict) continue;
        const { latencyMs, jitterMs } = verdict.fault.params as { latencyMs: number; jitterMs: number };
        totalMs += Math.max(0, latencyMs + (verdict.draw * 2 - 1) * jitterMs) * verdict.delayShare;
      }
    }
    return totalMs;
  }

  /** The fault that takes a connection away, drawn once for its life. */
  connection(): FaultSpec | undefined {
    let taken: FaultSpec | undefined;
    for (const { service, connections } of this.#sources) {
      if (connections.length === 0) continue;
      const call = { kind: 'connection' };
      const verdict = this.#injector.decide(service, call, connections, taken !== undefined);
      taken ??= verdict?.fault;
    }
    return taken;
  }

  /** The first fault here that does `action`, if its chance says so for the connection or close that asks. */
  #drawn(action: ProxyAction, kind: string): FaultSpec | undefined {
    for (const fault of this.#faults) {
      if (actionOf(fault.type) !== action) continue;
      const verdict = this.#injector.decide(fault.service, { kind }, [fault.type]);
      if (verdict) return verdict.fault;
    }
    return undefined;
  }

  /** The fault that limits the rate of a connection, drawn once for its life. */
  throttle(): FaultSpec | undefined {
    return this.#drawn('throttle', 'connection');
  }

  /** The fault after whose `lifeMs` a connection is reset, drawn once for its life. */
  drop(): FaultSpec | undefined {
    return this.#drawn('drop', 'connection');
  }

  /** ms by which the end of a connection is held back. */
  lingerMs(): number {
    return Number(this.#drawn('linger', 'close')?.params['delayMs'] ?? 0);
  }

  /** The first fault here that does this. */
  first(action: ProxyAction): FaultSpec | undefined {
    return this.#faults.find((fault) => actionOf(fault.type) === action);
  }

  recordHit(id: string, kind: string): void {
    this.#injector.recordHit(id, kind);
  }

  /** Shows a limitation beside every fault here that does one of `actions`. */
  warn(text: string, ...actions: ProxyAction[]): void {
    for (const fault of this.#faults) {
      const action = actionOf(fault.type);
      if (action && actions.includes(action)) this.#injector.warn(fault.id, text);
    }
  }
}

function isPortAction(fault: FaultSpec): boolean {
  const action = actionOf(fault.type);
  return action === 'refuse' || action === 'cut';
}

/** Whether a fault acts on the proxy of `service`: its own, those of Redis on pub/sub, and the network's. */
export function actsOn(fault: FaultSpec, service: ProxiedService): boolean {
  if (actionOf(fault.type) === undefined || !SOURCES[service].includes(fault.service)) return false;
  if (fault.service !== 'network') return true;
  const chosen = fault.params['services'];
  return !Array.isArray(chosen) || chosen.length === 0 || chosen.includes(service);
}
