import type { Clock, Timer } from '../../lib/chaos/clock.ts';
import type { FaultType } from '../../lib/chaos/faults/define.ts';
import type {
  FaultActivity,
  FaultMatch,
  FaultParams,
  FaultSpec,
  InjectorName,
  ServiceName,
  TurnModifier,
} from '../../lib/chaos/faults/fault.ts';
import type { ActiveFault } from '../../lib/protocol/events.ts';
import type { Fault, FaultReceipt, Owner } from '../../lib/protocol/faults.ts';

/**
 * arming ──► on ──► ending ──► (gone)
 *    │                 └─► lingering ──► (gone): told to end, not acknowledged yet; may still act
 *    └─► lingering
 */
export type Phase =
  | { name: 'arming' }
  | { name: 'on' }
  | { name: 'ending'; receipt: Promise<FaultReceipt> }
  | { name: 'lingering'; receipt: FaultReceipt; shown: boolean }
  | { name: 'gone' };

/** What was asked for, complete and valid. */
export interface PlannedFault {
  service: ServiceName;
  type: FaultType;
  params: FaultParams;
  ratio: number;
  seed: number;
  match: FaultMatch | undefined;
  modifiers: Pick<FaultSpec, TurnModifier>;
  ttlMs: number;
  injector: InjectorName;
}

/** A fault as the desk keeps it. Deadlines are on the monotonic clock. */
export class HeldFault {
  readonly id: string;
  readonly plan: PlannedFault;
  readonly preset: string | undefined;
  readonly startedAt: number;
  /** Of the injector's process when the fault was armed: another one has never heard of it. */
  readonly instanceId: string | undefined;
  owner: Owner;
  version = 1;
  phase: Phase = { name: 'arming' };
  armedInMs = 0;
  deadlineMs: number;
  /** Runs when the injector should long have said that it ended the fault. */
  expiry: Timer | undefined;
  /** The newest change under way; changes of one fault are made one after the other. */
  changing: Promise<unknown> = Promise.resolve();
  /** Set when it is known to be over where it acts, while the desk still arms or ends it. */
  endedEarly = false;
  /** The end that a halt has ordered while it was being armed. */
  released: Promise<FaultReceipt> | undefined;
  /** Resolves when arming is over, whichever way. */
  settled: Promise<unknown> = Promise.resolve();
  lastReceipt: FaultReceipt | undefined;
  #activity: FaultActivity | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock, fields: Pick<HeldFault, 'id' | 'plan' | 'preset' | 'instanceId' | 'owner'>) {
    this.#clock = clock;
    this.id = fields.id;
    this.plan = fields.plan;
    this.preset = fields.preset;
    this.instanceId = fields.instanceId;
    this.owner = fields.owner;
    this.startedAt = clock.now();
    this.deadlineMs = clock.monotonicMs() + fields.plan.ttlMs;
  }

  get service(): ServiceName {
    return this.plan.service;
  }

  get type(): string {
    return this.plan.type.type;
  }

  get injector(): InjectorName {
    return this.plan.injector;
  }

  get leftMs(): number {
    return Math.max(0, Math.round(this.deadlineMs - this.#clock.monotonicMs()));
  }

  get hits(): number {
    return this.#activity?.hits ?? 0;
  }

  /** Takes what the injector counted; gives true when that changes what is shown. */
  observe(activity: FaultActivity, onHits: (kind: string, count: number) => void): boolean {
    const before = this.#activity;
    if (before && activity.hits < before.hits) return false; // a late report
    this.#activity = activity;
    for (const [kind, hits] of Object.entries(activity.hitsByKind)) {
      const count = hits - (before?.hitsByKind[kind] ?? 0);
      if (count > 0) onHits(kind, count);
    }
    return (
      before?.hits !== activity.hits || before.seen !== activity.seen || before.warning !== activity.warning
    );
  }

  /** For the injector; `change` is what it is to become, before it is. */
  spec(
    change: Partial<Pick<PlannedFault, 'params' | 'ratio' | 'match' | 'modifiers' | 'ttlMs'>> = {},
  ): FaultSpec {
    const { service, type, params, ratio, seed, match, modifiers } = { ...this.plan, ...change };
    return {
      id: this.id,
      version: this.version,
      service,
      type: type.type,
      params,
      ratio,
      seed,
      match,
      ...modifiers,
      ttlMs: change.ttlMs ?? Math.max(1, this.leftMs),
    };
  }

  active(): ActiveFault {
    return { id: this.id, service: this.service, type: this.type, params: this.plan.params };
  }

  toFault(): Fault {
    const { plan } = this;
    const warning =
      this.phase.name === 'lingering'
        ? `${plan.injector} did not acknowledge the end; it may still act`
        : this.#activity?.warning;
    return {
      id: this.id,
      version: this.version,
      service: plan.service,
      type: plan.type.type,
      title: plan.type.title,
      params: plan.params,
      ratio: plan.ratio,
      seed: plan.seed,
      ...(plan.match ? { match: plan.match } : {}),
      ...plan.modifiers,
      ttlMs: plan.ttlMs,
      leftMs: this.leftMs,
      owner: this.owner,
      startedAt: this.startedAt,
      expiresAt: Math.round(this.#clock.now() + this.leftMs),
      plane: plan.type.plane,
      injector: plan.injector,
      armedInMs: this.armedInMs,
      hits: this.hits,
      hitsByKind: { ...this.#activity?.hitsByKind },
      seen: this.#activity?.seen ?? 0,
      ...(this.preset === undefined ? {} : { preset: this.preset }),
      ...(warning === undefined ? {} : { warning }),
    };
  }
}
