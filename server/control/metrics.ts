import { Counter, Gauge, Registry } from 'prom-client';
import { type BreakerStatus, MODES, type State } from '../../lib/protocol/state.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultDesk } from './fault-desk.ts';
import type { Hub } from './hub.ts';

export interface MetricsSources {
  hub: Hub;
  desk: FaultDesk;
  log: FactLog;
  state: () => State;
  viewers: () => { console: number; live: number; mostUnsentBytes: number };
}

const CALL_OUTCOMES = ['succeeded', 'rejected', 'injected', 'organic'] as const;
const BREAKER_STATES = ['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN'] as const;

/** `/metrics`: every series of the hub, and what the control process knows itself. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #sources: MetricsSources;
  readonly #commands: Counter<'command' | 'outcome'>;
  readonly #series = new Map<string, Gauge>();

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    const registers = [this.#registry];
    this.#commands = new Counter({
      name: 'brownout_commands_total',
      help: 'Commands by name and outcome',
      labelNames: ['command', 'outcome'],
      registers,
    });
    const hits = new Counter({
      name: 'brownout_fault_hits_total',
      help: 'Calls, connections or files disturbed by faults',
      labelNames: ['service', 'type', 'kind'],
      registers,
    });
    sources.desk.on('hits', ({ service, type, kind, count }) => hits.inc({ service, type, kind }, count));
    const facts = new Counter({
      name: 'brownout_facts_total',
      help: 'Facts by type',
      labelNames: ['type'],
      registers,
    });
    const alerts = new Counter({
      name: 'brownout_alerts_total',
      help: 'Alerts by code and service',
      labelNames: ['code', 'service'],
      registers,
    });
    sources.log.subscribe((fact) => {
      facts.inc({ type: fact.type });
      if (fact.type === 'alert') alerts.inc({ code: fact.data.code, service: fact.data.service ?? 'none' });
    });
    this.#gauge(
      'brownout_fault_hits',
      'Hits of each active fault by kind of call',
      ['fault', 'service', 'type', 'kind'],
      (gauge) => {
        for (const fault of sources.desk.faults()) {
          for (const [kind, count] of Object.entries(fault.hitsByKind)) {
            gauge.set({ fault: fault.id, service: fault.service, type: fault.type, kind }, count);
          }
        }
      },
    );
    this.#gauge(
      'brownout_fault_left_seconds',
      'Time that each active fault has left',
      ['fault', 'service', 'type', 'owner'],
      (gauge) => {
        for (const { id, service, type, owner, leftMs } of sources.desk.faults()) {
          gauge.set({ fault: id, service, type, owner: owner.name }, leftMs / 1000);
        }
      },
    );
    this.#gauge('brownout_halted', '1 while everything is halted', [], (gauge) =>
      gauge.set(sources.desk.halted ? 1 : 0),
    );
    this.#gauge('brownout_viewers', 'Connected browsers by namespace', ['namespace'], (gauge) => {
      const { console, live } = sources.viewers();
      gauge.set({ namespace: 'console' }, console);
      gauge.set({ namespace: 'live' }, live);
    });
    this.#gauge('brownout_viewer_unsent_bytes', 'What waits for the slowest viewer', [], (gauge) =>
      gauge.set(sources.viewers().mostUnsentBytes),
    );
    this.#gauge('brownout_journal_failing', '1 while facts do not reach the disk', [], (gauge) => {
      gauge.set(sources.log.failing === null ? 0 : 1);
    });
    this.#gauge('brownout_agent_up', '1 while the agent is connected', ['agent'], (gauge) => {
      for (const { name, connected } of sources.state().agents) gauge.set({ agent: name }, connected ? 1 : 0);
    });
    this.#gauge(
      'brownout_mode',
      '1 at the mode of the pipeline; all 0 while it is unknown',
      ['mode'],
      (gauge) => {
        const { mode } = sources.state();
        for (const each of MODES) gauge.set({ mode: each }, mode === each ? 1 : 0);
      },
    );
    this.#gauge(
      'brownout_breaker_state',
      '1 at the state of each circuit breaker',
      ['breaker', 'state'],
      (gauge) => {
        for (const { name, state } of breakersNow(sources)) {
          for (const each of BREAKER_STATES)
            gauge.set({ breaker: name, state: each }, state === each ? 1 : 0);
        }
      },
    );
    new Counter({
      name: 'brownout_calls_total',
      help: 'Calls of the pipeline through each breaker; a failed one is injected or organic',
      labelNames: ['breaker', 'outcome'],
      registers,
      collect() {
        this.reset();
        for (const { name: breaker, calls } of breakersNow(sources)) {
          for (const outcome of CALL_OUTCOMES) this.inc({ breaker, outcome }, calls[outcome]);
        }
      },
    });
    new Counter({
      name: 'brownout_breaker_transitions_total',
      help: 'Changes of state of each circuit breaker',
      labelNames: ['breaker'],
      registers,
      collect() {
        this.reset();
        for (const { name: breaker, transitions } of breakersNow(sources)) this.inc({ breaker }, transitions);
      },
    });
    new Counter({
      name: 'brownout_breaker_state_seconds_total',
      help: 'Time that each circuit breaker has spent in each state',
      labelNames: ['breaker', 'state'],
      registers,
      collect() {
        this.reset();
        const { at } = sources.state();
        for (const { name: breaker, state, since, spentMs } of breakersNow(sources)) {
          for (const each of BREAKER_STATES) {
            const presentMs = each === state ? Math.max(0, at - since) : 0;
            this.inc({ breaker, state: each }, (spentMs[each] + presentMs) / 1000);
          }
        }
      },
    });
    this.#gauge('brownout_process_up', '1 while the process runs', ['process'], (gauge) => {
      for (const { name, state } of sources.hub.aged('supervisor')?.processes ?? []) {
        gauge.set({ process: name }, state === 'up' || state === 'external' ? 1 : 0);
      }
    });
  }

  countCommand(command: string, outcome: string): void {
    this.#commands.inc({ command, outcome });
  }

  /** Prometheus text. A series without a value now is left out, not told as zero. */
  async text(): Promise<{ body: string; contentType: string }> {
    const { hub } = this.#sources;
    const values = hub.values();
    for (const [index, { name, unit, help }] of hub.metrics().entries()) {
      const known = this.#series.get(name);
      const gauge =
        known ??
        new Gauge({ name: prometheusName(name), help: `${help} (${unit})`, registers: [this.#registry] });
      if (!known) this.#series.set(name, gauge);
      const value = values[index];
      if (value === null || value === undefined) gauge.remove();
      else gauge.set(value);
    }
    return { body: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  }
}

/** Nothing once the pipeline has been silent for so long that its mode is unknown. */
function breakersNow({ state }: MetricsSources): readonly BreakerStatus[] {
  const { mode, pipeline } = state();
  return mode === null || pipeline === null ? [] : pipeline.breakers;
}

/** `queue.detection.oldestAgeMs` → `brownout_queue_detection_oldest_age_ms` */
function prometheusName(name: string): string {
  return `brownout_${name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase()}`;
}
